/// Different values in ascending order with their masses, and prefix sums that give the mean and error of any run.
struct SortedMasses {
  /// Ascending, each once.
  private(set) var values: [Double] = []
  /// The mass before each value, and at the end all of it.
  private(set) var mass: [Double] = [0]
  /// The sum of mass times value before each value; values are taken from their mean, so that sums of runs lose little.
  private(set) var moment: [Double] = [0]
  /// The mean of all values.
  private(set) var center = 0.0

  var count: Int { values.count }

  /// Sorts the finite values with a finite weight > 0 (nil: all ones).
  init(_ source: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>?) {
    let pairs = OrderedValues.sorted(source, weights: weights)
    values.reserveCapacity(pairs.count)
    mass.reserveCapacity(pairs.count + 1)
    var total = 0.0
    var weighted = 0.0
    var previous: UInt64?
    for pair in pairs {
      let weight = Double(Float(bitPattern: UInt32(truncatingIfNeeded: pair)))
      let value = Double(OrderedValues.value(UInt32(truncatingIfNeeded: pair >> 32)))
      // A mass that is lost in the sum would leave a run without any.
      guard total + weight > total else { continue }
      total += weight
      weighted += weight * value
      if previous == pair >> 32 {
        mass[mass.count - 1] = total
      } else {
        values.append(value)
        mass.append(total)
      }
      previous = pair >> 32
    }
    guard total > 0 else { return }
    center = weighted / total
    moment.reserveCapacity(values.count + 1)
    var sum = 0.0
    for index in values.indices {
      sum += (mass[index + 1] - mass[index]) * (values[index] - center)
      moment.append(sum)
    }
  }

  /// The mean of each run between neighbouring bounds; an empty run takes that of the run before, the first ones zero's
  /// place at the least value.
  func means(_ bounds: [Int]) -> [Float] {
    var last = Float(values.first ?? 0)
    return zip(bounds, bounds.dropFirst()).map { start, end in
      var sum = 0.0
      // Added up anew: differences of prefix sums are exact enough to choose, not to the last bit of a small mean.
      for index in start..<end { sum += (mass[index + 1] - mass[index]) * values[index] }
      if end > start { last = Float(sum / (mass[end] - mass[start])) }
      return last
    }
  }
}

/// The prefix sums of sorted masses while their arrays are pinned.
struct MassPointers {
  let values: UnsafePointer<Double>
  let mass: UnsafePointer<Double>
  let moment: UnsafePointer<Double>
  let count: Int
  let center: Double

  /// `moment² / mass` of a run. The square error of runs is a constant less the sum of these, so more is better.
  @inline(__always)
  func gain(_ start: Int, _ end: Int) -> Double {
    let sum = moment[end] - moment[start]
    return sum * sum / (mass[end] - mass[start])
  }
}

extension SortedMasses {
  /// Runs a search on the arrays. There is at least one value.
  func withPointers<Result>(_ body: (MassPointers) -> Result) -> Result {
    values.withUnsafeBufferPointer { values in
      mass.withUnsafeBufferPointer { mass in
        moment.withUnsafeBufferPointer { moment in
          guard let x = values.baseAddress, let m = mass.baseAddress, let s = moment.baseAddress
          else { preconditionFailure("no values to search") }
          return body(
            MassPointers(values: x, mass: m, moment: s, count: values.count, center: center))
        }
      }
    }
  }
}
