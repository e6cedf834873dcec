/// Floats as unsigned integers of the same order, and sorting by them.
enum OrderedValues {
  /// A key that orders like the value; both zeros have the same. NaN keys lie beyond those of the infinities.
  @inline(__always)
  static func key(_ value: Float) -> UInt32 {
    let bits = (value + 0).bitPattern
    return bits & 0x8000_0000 == 0 ? bits | 0x8000_0000 : ~bits
  }

  /// The value of a key.
  @inline(__always)
  static func value(_ key: UInt32) -> Float {
    Float(bitPattern: key & 0x8000_0000 == 0 ? ~key : key & 0x7FFF_FFFF)
  }

  /// The finite values with a finite weight > 0 (nil: all ones), ascending; equal values keep their order.
  ///
  /// - Returns: the key of each value in the upper word, the bits of its weight in the lower.
  static func sorted(
    _ values: UnsafeBufferPointer<Float>, weights: UnsafeBufferPointer<Float>?
  ) -> [UInt64] {
    precondition(weights.map { $0.count == values.count } ?? true, "one weight a value")
    var pairs = [UInt64](unsafeUninitializedCapacity: values.count) { pairs, count in
      for index in values.indices {
        let weight = weights?[index] ?? 1
        guard values[index].isFinite, weight > 0, weight.isFinite else { continue }
        pairs[count] = UInt64(key(values[index])) << 32 | UInt64(weight.bitPattern)
        count += 1
      }
    }
    sortByUpperWord(&pairs)
    return pairs
  }

  /// A stable radix sort from the least digit up; digits that all keys share are skipped.
  static func sortByUpperWord(_ pairs: inout [UInt64]) {
    let count = pairs.count
    guard count > 1 else { return }
    // Few keys do not repay the clearing of many counters.
    let digitBits = count < 4096 ? 8 : 11
    let radix = 1 << digitBits
    let passCount = (32 + digitBits - 1) / digitBits
    var other = [UInt64](repeating: 0, count: count)
    var starts = [Int](repeating: 0, count: radix * passCount)
    var isInOther = false
    pairs.withUnsafeMutableBufferPointer { pairs in
      other.withUnsafeMutableBufferPointer { other in
        starts.withUnsafeMutableBufferPointer { starts in
          let mask = UInt64(radix - 1)
          for pair in pairs {
            for pass in 0..<passCount {
              let digit = Int((pair >> (32 + pass * digitBits)) & mask)
              starts[pass * radix + digit] &+= 1
            }
          }
          for pass in 0..<passCount {
            let shift = UInt64(32 + pass * digitBits)
            let source = isInOther ? other : pairs
            let target = isInOther ? pairs : other
            let digits = UnsafeMutableBufferPointer(
              rebasing: starts[pass * radix..<(pass + 1) * radix])
            if digits[Int((source[0] >> shift) & mask)] == count { continue }
            var start = 0
            for digit in digits.indices {
              let size = digits[digit]
              digits[digit] = start
              start &+= size
            }
            for pair in source {
              let digit = Int((pair >> shift) & mask)
              target[digits[digit]] = pair
              digits[digit] &+= 1
            }
            isInOther.toggle()
          }
        }
      }
    }
    if isInOther { swap(&pairs, &other) }
  }
}
