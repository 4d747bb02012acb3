#pragma once

#include <memory>

#include "addon/node_api.h"
#include "copy/journal.h"

namespace blockhaul {

/// JavaScript's hold on a journal (`NativeJournal` in src/native.ts). A copy that is given one
/// keeps it too; until that copy has ended, JavaScript leaves it alone but for `frontier`.
class JournalHandle final : public Napi::ObjectWrap<JournalHandle> {
 public:
  static void define(Napi::Env env);
  /// `createJournal(path, header)`, `createTemporaryJournal(folder, header)`, `openJournal(path)`.
  static Napi::Value create(const Napi::CallbackInfo& call);
  static Napi::Value create_temporary(const Napi::CallbackInfo& call);
  static Napi::Value open(const Napi::CallbackInfo& call);
  /// `readJournal(path)`.
  static Napi::Value read(const Napi::CallbackInfo& call);
  /// The journal of a handle; throws a TypeError for anything else, and for one that was closed.
  static std::shared_ptr<Journal> unwrap(const Napi::Value& value);

  explicit JournalHandle(const Napi::CallbackInfo& call);

 private:
  Napi::Value contents(const Napi::CallbackInfo& call);
  Napi::Value frontier(const Napi::CallbackInfo& call);
  Napi::Value append_note(const Napi::CallbackInfo& call);
  Napi::Value rewind(const Napi::CallbackInfo& call);
  Napi::Value chunks(const Napi::CallbackInfo& call);
  Napi::Value close(const Napi::CallbackInfo& call);
  [[nodiscard]] std::shared_ptr<Journal> open_journal(Napi::Env env) const;

  std::shared_ptr<Journal> journal_;  ///< null once closed
};

/// A list of `{ offset, length }`.
Napi::Array to_js(Napi::Env env, const std::vector<Range>& ranges);

}  // namespace blockhaul
