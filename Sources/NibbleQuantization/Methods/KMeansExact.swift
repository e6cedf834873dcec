/// The partition of sorted values into runs with the least square error there is.
///
/// Dynamic programming over the number of runs (Wang and Song 2011, ckmeans.1d.dp): the best partition of the first `i`
/// values into `k` runs is the best one of the first `j` into `k - 1` and the run from `j` to `i`. The best `j` never
/// falls as `i` grows, so each layer is filled by divide and conquer (Grønlund et al. 2017, arXiv:1701.07204, section 3).
enum KMeansExact {
  /// The best bounds `[0, ..., count]` of the runs, none of which is empty.
  ///
  /// - Precondition: at least as many values as clusters.
  static func bounds(of masses: MassPointers, clusterCount: Int) -> [Int] {
    precondition(clusterCount > 0 && clusterCount <= masses.count)
    // Each run needs a value, those before and those after.
    let windows = (0...clusterCount).map { $0...masses.count - (clusterCount - $0) }
    return bounds(of: masses, within: windows)
  }

  /// The best bounds of which each lies within a window.
  ///
  /// - Parameters:
  ///   - masses: the values.
  ///   - windows: one for each bound `0, ..., k`; the first holds 0, the last the number of values, and both ends of
  ///     the others rise from one to the next.
  /// - Returns: the bounds; the first and the last are 0 and the number of values.
  static func bounds(of masses: MassPointers, within windows: [ClosedRange<Int>]) -> [Int] {
    let clusterCount = windows.count - 1
    var bounds = [Int](repeating: masses.count, count: clusterCount + 1)
    bounds[0] = 0
    guard clusterCount > 1 else { return bounds }
    // The gain of the best partition whose last run ends at each place of the current window.
    var best = windows[1].map { masses.gain(0, $0) }
    // For each later window, where the last of the runs that end there begins.
    var starts: [[Int32]] = []
    for bound in stride(from: 2, to: clusterCount, by: 1) {
      let layer = Layer(masses: masses, window: windows[bound], before: windows[bound - 1])
      let filled = layer.filled(best)
      best = filled.best
      starts.append(filled.starts)
    }
    bounds[clusterCount - 1] = best.withUnsafeBufferPointer {
      masses.bestStart($0, windows[clusterCount - 1], end: masses.count).start
    }
    for bound in stride(from: clusterCount - 1, to: 1, by: -1) {
      bounds[bound - 1] = Int(starts[bound - 2][bounds[bound] - windows[bound].lowerBound])
    }
    return bounds
  }

  /// Partitions with one run more than those of the layer before.
  private struct Layer {
    let masses: MassPointers
    /// Where the last run may end.
    let window: ClosedRange<Int>
    /// Where it may begin.
    let before: ClosedRange<Int>

    func filled(_ previous: [Double]) -> (best: [Double], starts: [Int32]) {
      var best = [Double](repeating: 0, count: window.count)
      var starts = [Int32](repeating: 0, count: window.count)
      previous.withUnsafeBufferPointer { previous in
        best.withUnsafeMutableBufferPointer { best in
          starts.withUnsafeMutableBufferPointer { starts in
            fill(window, before, previous, best, starts)
          }
        }
      }
      return (best, starts)
    }

    /// Fills the entries of some ends whose last runs begin within a range.
    private func fill(
      _ ends: ClosedRange<Int>, _ candidates: ClosedRange<Int>,
      _ previous: UnsafeBufferPointer<Double>, _ best: UnsafeMutableBufferPointer<Double>,
      _ starts: UnsafeMutableBufferPointer<Int32>
    ) {
      let end = (ends.lowerBound + ends.upperBound) / 2
      let first = candidates.lowerBound - before.lowerBound
      let last = min(candidates.upperBound, end - 1)
      let found = masses.bestStart(
        UnsafeBufferPointer(rebasing: previous[first...last - before.lowerBound]),
        candidates.lowerBound...last, end: end)
      best[end - window.lowerBound] = found.gain
      starts[end - window.lowerBound] = Int32(truncatingIfNeeded: found.start)
      if ends.lowerBound < end {
        fill(
          ends.lowerBound...end - 1, candidates.lowerBound...found.start, previous, best, starts)
      }
      if end < ends.upperBound {
        fill(
          end + 1...ends.upperBound, found.start...candidates.upperBound, previous, best, starts)
      }
    }
  }
}

extension MassPointers {
  /// The best beginning of the last run that ends at `end`, the first among equals, and the gain of all runs with it.
  ///
  /// - Parameters:
  ///   - best: the gain of the runs before, for each beginning.
  ///   - starts: the beginnings, all below `end`.
  ///   - end: where the last run ends.
  /// - Returns: the beginning and the gain.
  fileprivate func bestStart(
    _ best: UnsafeBufferPointer<Double>, _ starts: ClosedRange<Int>, end: Int
  ) -> (start: Int, gain: Double) {
    var found = starts.lowerBound
    var most = -Double.infinity
    for index in best.indices {
      let gain = best[index] + gain(starts.lowerBound + index, end)
      if gain > most {
        most = gain
        found = starts.lowerBound + index
      }
    }
    return (found, most)
  }
}
