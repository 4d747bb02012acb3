#pragma once

#include "volume/rbd_image.h"

namespace blockhaul {

/// The steps of one open, in their order: pool, namespace, creation, image.
class RbdOpening {
 public:
  /// Checks what can be checked without a cluster.
  static Result<RbdOpening> prepare(RbdOpenOptions options);

  /// Blocks for as long as the cluster pleases.
  [[nodiscard]] Result<std::unique_ptr<RbdImage>> run(std::shared_ptr<RadosCluster> cluster) const;

  /// Closes what run() opened, and removes it if it was created by that.
  void undo(std::unique_ptr<RbdImage> image) const;

 private:
  explicit RbdOpening(RbdOpenOptions options) : options_(std::move(options)) {}
  [[nodiscard]] Status create(RbdImage& image) const;
  [[nodiscard]] Status open_image(RbdImage& image) const;
  [[nodiscard]] Status read_facts(RbdImage& image) const;
  [[nodiscard]] Error not_found(RbdImage& image) const;

  RbdOpenOptions options_;
};

}  // namespace blockhaul
