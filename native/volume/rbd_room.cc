#include "volume/rbd_room.h"

#include "volume/rbd_task.h"

namespace blockhaul {
namespace {

constexpr const char* kQuestion = R"({"prefix": "df", "detail": "detail", "format": "json"})";

Result<std::string> ask(const RbdPool& pool, Pulse&) {
  if (!pool.has_namespace()) return pool.no_namespace();
  const Librbd& librbd = pool.librbd();
  const char* question = kQuestion;
  char* answer = nullptr;
  char* status = nullptr;
  std::size_t answer_length = 0;
  std::size_t status_length = 0;
  const int result = librbd.rados_mon_command(pool.cluster().get(), &question, 1, nullptr, 0,
                                              &answer, &answer_length, &status, &status_length);
  std::string text(answer == nullptr ? "" : answer, answer_length);
  if (answer != nullptr) librbd.rados_buffer_free(answer);
  if (status != nullptr) librbd.rados_buffer_free(status);
  if (result < 0) return pool.failed(result, "ask how full the cluster is");
  return text;
}

}  // namespace

Result<std::string> cluster_usage(const RbdPlace& place) {
  return in_pool<std::string>(place, ask);
}

}  // namespace blockhaul
