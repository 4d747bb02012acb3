#pragma once

#include <memory>
#include <optional>
#include <string>

#include "volume/rbd_create.h"
#include "volume/rbd_facts.h"
#include "volume/rbd_pool.h"

namespace blockhaul {

struct RbdOpenOptions : RbdPlace {
  std::string image{};
  std::optional<std::string> snapshot{};  ///< never writable
  bool writable = false;
  /// Make the image first; fails with EEXIST where there is one of that name.
  std::optional<RbdCreateOptions> create{};

  /// "pool/namespace/image@snapshot"
  [[nodiscard]] std::string path() const;
};

/// An open image and what it hangs on: the connection and the pool.
class RbdImage {
 public:
  /// Connects, creates where that is wanted, and opens. Blocks, but only as long as the
  /// connection's patience: a cluster without working OSDs would never answer. An image that was
  /// created for an open that fails is removed again.
  static Result<std::unique_ptr<RbdImage>> open(const RbdOpenOptions& options);

  /// Blocks: flushes, gives back locks. No request may be under way.
  ~RbdImage();
  RbdImage(const RbdImage&) = delete;
  RbdImage& operator=(const RbdImage&) = delete;

  [[nodiscard]] const Librbd& librbd() const { return pool_->librbd(); }
  [[nodiscard]] const RadosCluster& cluster() const { return pool_->cluster(); }
  [[nodiscard]] const RbdPool& pool() const { return *pool_; }
  [[nodiscard]] rbd_image_t get() const { return image_; }
  [[nodiscard]] const RbdFacts& facts() const { return facts_; }

 private:
  friend class RbdOpening;
  explicit RbdImage(std::unique_ptr<RbdPool> pool) : pool_(std::move(pool)) {}

  std::unique_ptr<RbdPool> pool_;
  rbd_image_t image_ = nullptr;
  RbdFacts facts_;
};

}  // namespace blockhaul
