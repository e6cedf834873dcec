internal import NibbleTensors

/// The numbers of a scale format that lie in an interval.
struct StoredNumbers: Sendable {
  private let format: ScaleFormat
  /// Where an interval holds more numbers, this many of them are tried.
  private let limit: Int

  init(_ format: ScaleFormat, limit: Int = 64) {
    self.format = format
    self.limit = limit
  }

  /// The numbers in `low...high`, those nearest to `wanted` first.
  ///
  /// - Parameters:
  ///   - low: may be negative, as `high` may.
  ///   - high: no less than `low`.
  ///   - wanted: any number.
  /// - Returns: all numbers, or some where they are many; none for formats that depend on other groups.
  func within(_ low: Double, _ high: Double, near wanted: Double) -> [Float] {
    var numbers: [Float] = []
    if format == .e8m0 {
      for code in UInt8(0)...254 {
        let value = EightBitScale.e8m0(code)
        if Double(value) >= low, Double(value) <= high { numbers.append(value) }
      }
      return numbers
    }
    guard let first = place(low), let last = place(high), first <= last else { return [] }
    // One more at both ends: places are those of the nearest numbers.
    let (start, end) = (first - 1, last + 1)
    var step = 1
    var short: [Float] = []
    if end - start > 2 * limit {
      step = (end - start) / limit
      // Numbers of fewer bits are likelier to be what was stored, and their multiples are exact.
      if format == .float32 {
        for shorter in [ScaleFormat.float16, .bfloat16] {
          short += StoredNumbers(shorter, limit: limit).within(low, high, near: wanted)
        }
      }
      if let middle = place(wanted), let nearest = number(middle), Double(nearest) >= low,
        Double(nearest) <= high
      {
        numbers.append(nearest)
      }
    }
    var place = start
    while place <= end {
      if let value = number(place), Double(value) >= low, Double(value) <= high {
        numbers.append(value)
      }
      place += step
    }
    return short + numbers.sorted { abs(Double($0) - wanted) < abs(Double($1) - wanted) }
  }

  /// The place of the nearest number in the order of all; zero is at 0. Nil where that is no finite number.
  private func place(_ value: Double) -> Int? {
    let float = Float(value)
    let magnitude: Int
    switch format {
    case .float32: magnitude = Int(abs(float).bitPattern)
    case .float16: magnitude = min(Int(Half.bits(abs(float))), 0x7BFF)
    case .bfloat16: magnitude = min(Int(BFloat16.bits(abs(float))), 0x7F7F)
    default: return nil
    }
    guard float.isFinite else { return nil }
    return float < 0 ? -magnitude : magnitude
  }

  /// The number at a place; nil for what is not finite.
  private func number(_ place: Int) -> Float? {
    let magnitude: Float
    switch format {
    case .float32:
      guard place.magnitude < 0x7F80_0000 else { return nil }
      magnitude = Float(bitPattern: UInt32(place.magnitude))
    case .float16:
      guard place.magnitude < 0x7C00 else { return nil }
      magnitude = Half.float(UInt16(place.magnitude))
    case .bfloat16:
      guard place.magnitude < 0x7F80 else { return nil }
      magnitude = BFloat16.float(UInt16(place.magnitude))
    default: return nil
    }
    return place < 0 ? -magnitude : magnitude
  }
}
