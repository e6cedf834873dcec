internal import CNibbleKernels

extension Grid {
  /// Rounds values to the nearest codes of a fit.
  func encode(
    _ values: UnsafeBufferPointer<Float>, _ fit: GroupFit,
    into buffer: UnsafeMutableBufferPointer<UInt8>
  ) {
    guard let source = values.baseAddress, let codes = buffer.baseAddress else { return }
    switch levels {
    case .integers:
      groupKernels.encode(source, values.count, affine(fit), codes)
    case .table(let table):
      table.withKernelTable {
        groupKernels.encode_table(source, values.count, inverse(fit.scale), $0, codes)
      }
    }
  }

  /// The square error of a fit and the sums for a better one.
  func sums(
    _ values: UnsafeBufferPointer<Float>, weights: UnsafePointer<Float>?, _ fit: GroupFit
  ) -> nk_group_sums {
    var sums = nk_group_sums()
    guard let source = values.baseAddress else { return sums }
    switch levels {
    case .integers:
      groupKernels.sums(source, weights, values.count, affine(fit), fit.scale, &sums)
    case .table(let table):
      table.withKernelTable {
        groupKernels.sums_table(
          source, weights, values.count, inverse(fit.scale), fit.scale, $0, &sums)
      }
    }
    return sums
  }

  /// 1 / scale; 0 for scales so small that it would be infinite: such groups become zeros.
  private func inverse(_ scale: Float) -> Float {
    abs(scale) >= Float.leastNormalMagnitude ? 1 / scale : 0
  }

  private func affine(_ fit: GroupFit) -> nk_affine_grid {
    guard case .integers(let top, let bias) = levels else { return nk_affine_grid() }
    switch offset {
    case .none:
      return nk_affine_grid(inverse: inverse(fit.scale), shift: 0, zero: bias, top: top)
    case .zeroPoint:
      return nk_affine_grid(inverse: inverse(fit.scale), shift: 0, zero: fit.offset, top: top)
    case .minimum:
      return nk_affine_grid(inverse: inverse(fit.scale), shift: fit.offset, zero: 0, top: top)
    }
  }
}
