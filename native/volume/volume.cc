#include "volume/volume.h"

namespace blockhaul {

Result<std::vector<Extent>> Volume::map(std::uint64_t offset, std::uint64_t length) {
  return std::vector<Extent>{{offset, length, ExtentKind::data}};
}

void complete_later(Reactor& reactor, Request& request, int error) {
  request.error = error;
  request.task.context = &request;
  request.task.run = [](Task& task) noexcept {
    Request& done = *static_cast<Request*>(task.context);
    done.on_done(done);
  };
  reactor.post(request.task);
}

}  // namespace blockhaul
