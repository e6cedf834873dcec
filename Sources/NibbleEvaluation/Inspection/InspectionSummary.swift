/// Gathers the values of tensors by role and by block while they are read, in file order.
struct InspectionSummary {
  private struct Group {
    var moments = CentralMoments()
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var histogram: ValueHistogram?

    mutating func add(_ statistics: TensorStatistics, _ counts: ValueHistogram?) {
      guard statistics.moments.count > 0 else { return }
      moments.add(statistics.moments)
      minimum = min(minimum, statistics.minimum)
      maximum = max(maximum, statistics.maximum)
      if let counts {
        if histogram == nil { histogram = counts } else { histogram?.add(counts) }
      }
    }
  }

  private var byRole: [WeightRole: Group] = [:]
  private var byBlock: [Int: Group] = [:]

  /// Adds one tensor; matrices in a block also count for the block.
  mutating func add(_ tensor: TensorInspection, _ finding: TensorScan.Finding) {
    byRole[tensor.role, default: Group()].add(finding.statistics, finding.histogram)
    if let block = tensor.block, tensor.shape.count > 1 {
      byBlock[block, default: Group()].add(finding.statistics, nil)
    }
  }

  /// The roles that have values, in the order of ``WeightRole``.
  var roles: [RoleStatistics] {
    WeightRole.allCases.compactMap { role in
      guard let group = byRole[role], let histogram = group.histogram else { return nil }
      return RoleStatistics(
        role: role, moments: group.moments, minimum: group.minimum, maximum: group.maximum,
        histogram: histogram.intervals(
          TensorStatistics.intervalCount, from: group.minimum, to: group.maximum),
        centralHistogram: histogram.centralIntervals(group.moments))
    }
  }

  /// The blocks that have values, by index.
  var blocks: [BlockRange] {
    byBlock.sorted { $0.key < $1.key }.compactMap { block, group in
      guard group.moments.count > 0 else { return nil }
      return BlockRange(
        block: block, moments: group.moments, minimum: group.minimum, maximum: group.maximum)
    }
  }
}
