internal import Foundation

/// A partition of sorted values into runs with a nearly least square error.
///
/// Lloyd's algorithm from three starts: runs of equal mass, runs of equal width, and runs in which the cube root of the
/// density has equal integrals, the optimum for many levels (Panter and Dite 1951). The best result is improved by moves
/// that Lloyd's algorithm cannot make, as long as the error falls: two neighbouring runs are joined and another is split
/// where that helps most; and all bounds move at once, each at most as far as its neighbours stood, to the best places
/// that dynamic programming finds there. Rows of bell-shaped weights end at the exact optimum (tested).
enum KMeansSearch {
  private static let iterationLimit = 300
  private static let roundLimit = 20

  /// The bounds `[0, ..., count]` of the runs.
  ///
  /// - Precondition: more values than clusters.
  static func bounds(of masses: MassPointers, clusterCount: Int) -> [Int] {
    let starts = [
      masses.boundsOfEqualMass(clusterCount), masses.boundsOfEqualWidth(clusterCount),
      masses.boundsOfEqualCubeRoots(clusterCount),
    ]
    var best = Partition(bounds: [], gain: -.infinity)
    for start in starts {
      let partition = lloyd(masses, start)
      if partition.gain > best.gain { best = partition }
    }
    // Each round takes a step by more than rounding could.
    for _ in 0..<roundLimit {
      let before = best.gain
      if let moved = exchange(masses, best.bounds) {
        let partition = lloyd(masses, moved)
        if partition.gain > best.gain { best = partition }
      }
      let shifted = shift(masses, best.bounds)
      let gain = masses.gain(of: shifted)
      if gain > best.gain { best = Partition(bounds: shifted, gain: gain) }
      if best.gain <= before + abs(before) * 1e-14 { break }
    }
    return best.bounds
  }

  /// The best bounds of which each lies between its two neighbours' old places.
  private static func shift(_ masses: MassPointers, _ bounds: [Int]) -> [Int] {
    let clusterCount = bounds.count - 1
    var apart = bounds
    // No run may be empty.
    for k in 1..<max(1, clusterCount) { apart[k] = max(apart[k], apart[k - 1] + 1) }
    for k in (1..<max(1, clusterCount)).reversed() { apart[k] = min(apart[k], apart[k + 1] - 1) }
    let windows = bounds.indices.map { k in
      k == 0 || k == clusterCount
        ? apart[k]...apart[k]
        : max(k, apart[k - 1])...min(masses.count - clusterCount + k, apart[k + 1])
    }
    return KMeansExact.bounds(of: masses, within: windows)
  }

  private struct Partition {
    var bounds: [Int]
    var gain: Double
  }

  /// Means and nearest means in turn, until nothing changes. A run that becomes empty keeps its mean.
  private static func lloyd(_ masses: MassPointers, _ start: [Int]) -> Partition {
    var bounds = start
    let clusterCount = bounds.count - 1
    var levels = (0..<clusterCount).map { masses.values[min(bounds[$0], masses.count - 1)] }
    for _ in 0..<iterationLimit {
      for cluster in 0..<clusterCount where bounds[cluster] < bounds[cluster + 1] {
        levels[cluster] = masses.mean(bounds[cluster], bounds[cluster + 1])
      }
      var hasChanged = false
      for cluster in 1..<max(1, clusterCount) {
        let middle = (levels[cluster - 1] + levels[cluster]) / 2
        let bound = max(masses.end(notAbove: middle, from: bounds[cluster]), bounds[cluster - 1])
        hasChanged = hasChanged || bound != bounds[cluster]
        bounds[cluster] = bound
      }
      if !hasChanged { break }
    }
    return Partition(bounds: bounds, gain: masses.gain(of: bounds))
  }

  /// The bounds after the best pair of a split and a join of other runs, or nil when no pair gains.
  private static func exchange(_ masses: MassPointers, _ bounds: [Int]) -> [Int]? {
    let clusterCount = bounds.count - 1
    guard clusterCount > 2 else { return nil }
    let gains = (0..<clusterCount).map {
      bounds[$0] < bounds[$0 + 1] ? masses.gain(bounds[$0], bounds[$0 + 1]) : 0
    }
    // What joining runs k and k + 1 costs, the cheapest first.
    let joins = (0..<clusterCount - 1).map { k -> (first: Int, cost: Double) in
      guard bounds[k] < bounds[k + 2] else { return (k, 0) }
      return (k, gains[k] + gains[k + 1] - masses.gain(bounds[k], bounds[k + 2]))
    }.sorted { ($0.cost, $0.first) < ($1.cost, $1.first) }
    var most = 0.0
    var move: (split: Int, join: Int)?
    for cluster in 0..<clusterCount where bounds[cluster + 1] - bounds[cluster] > 1 {
      guard let join = joins.first(where: { $0.first != cluster && $0.first + 1 != cluster })
      else { continue }
      let (start, end) = (bounds[cluster], bounds[cluster + 1])
      var best = -Double.infinity
      var bestSplit = start + 1
      for split in start + 1..<end {
        let gain = masses.gain(start, split) + masses.gain(split, end)
        if gain > best {
          best = gain
          bestSplit = split
        }
      }
      if best - gains[cluster] - join.cost > most {
        most = best - gains[cluster] - join.cost
        move = (bestSplit, join.first)
      }
    }
    guard let move else { return nil }
    var moved = bounds
    moved.remove(at: move.join + 1)
    moved.append(move.split)
    return moved.sorted()
  }
}

extension MassPointers {
  fileprivate func gain(of bounds: [Int]) -> Double {
    zip(bounds, bounds.dropFirst()).reduce(0) { $0 + ($1.0 < $1.1 ? gain($1.0, $1.1) : 0) }
  }

  fileprivate func mean(_ start: Int, _ end: Int) -> Double {
    center + (moment[end] - moment[start]) / (mass[end] - mass[start])
  }

  /// The number of values that do not exceed a limit, looked for from a guess outward.
  fileprivate func end(notAbove limit: Double, from guess: Int) -> Int {
    var low = guess
    var high = guess
    var step = 1
    if guess < count, values[guess] <= limit {
      while high < count, values[high] <= limit {
        low = high + 1
        high = min(count, high + step)
        step *= 2
      }
    } else {
      while low > 0, values[low - 1] > limit {
        high = low - 1
        low = max(0, low - step)
        step *= 2
      }
    }
    while low < high {
      let middle = (low + high) / 2
      if values[middle] <= limit { low = middle + 1 } else { high = middle }
    }
    return low
  }

  fileprivate func boundsOfEqualMass(_ clusterCount: Int) -> [Int] {
    bounds(clusterCount, of: 1...count) { mass[$0] }
  }

  fileprivate func boundsOfEqualWidth(_ clusterCount: Int) -> [Int] {
    bounds(clusterCount, of: 1...count) { values[$0 - 1] - values[0] }
  }

  /// Blocks of neighbours stand for the density: mass over width, so its cube root times the width.
  fileprivate func boundsOfEqualCubeRoots(_ clusterCount: Int) -> [Int] {
    let length = max(1, count / (8 * clusterCount))
    let ends = Array(stride(from: length, to: count, by: length)) + [count]
    var sum = 0.0
    var start = 0
    let sums = ends.map { end in
      let width = values[min(end, count - 1)] - values[start]
      sum += cbrt((mass[end] - mass[start]) * width * width)
      start = end
      return sum
    }
    let indices = bounds(clusterCount, of: 1...ends.count) { sums[$0 - 1] }
    return indices.map { $0 == 0 ? 0 : ends[$0 - 1] }
  }

  /// Where an ascending measure of the first so many values passes equal parts of its last value.
  private func bounds(
    _ clusterCount: Int, of ends: ClosedRange<Int>, _ measure: (Int) -> Double
  ) -> [Int] {
    var bounds = [0]
    var end = ends.lowerBound
    let whole = measure(ends.upperBound)
    for cluster in 1..<max(1, clusterCount) {
      let part = whole * Double(cluster) / Double(clusterCount)
      while end < ends.upperBound, measure(end) < part { end += 1 }
      bounds.append(end)
    }
    return bounds + [ends.upperBound]
  }
}
