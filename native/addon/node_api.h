#pragma once

// The one place that includes Node-API, so that its settings (sources.gypi) hold everywhere.
#include <napi.h>
