import CNibbleKernels
import NibbleTensors
import Testing

/// Every instruction set's group kernels give the bits of the scalar table, for any length and alignment.
@Suite struct GroupTablesTests {
  static let tables: [nk_group_table] = [NK_AVX2, NK_AVX512, NK_NEON].compactMap {
    nk_groups_for($0)?.pointee
  }

  private static func samples(_ count: Int, seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    let special: [Float] = [
      0, -0.0, 1e30, -1e30, Float(bitPattern: 71362), 0.5, 1.5, 2.5, -0.5, -1.5, 127.5,
    ]
    return (0..<count).map { index in
      index % 23 == 7 ? special[index / 23 % special.count] : Float(random.gaussian())
    }
  }

  private static let lengths = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 64, 255, 256, 257, 600, 1031]

  @Test func agree() throws {
    let scalar = try #require(nk_groups_for(NK_SCALAR)).pointee
    for table in Self.tables + [scalar] {
      for (seed, count) in Self.lengths.enumerated() {
        let storage = Self.samples(count + 3, seed: UInt64(seed))
        let weights = storage.map { abs($0) < 1e10 ? abs($0) : 1 }
        try storage.withUnsafeBufferPointer { storage in
          try weights.withUnsafeBufferPointer { weights in
            let base = try #require(storage.baseAddress) + 3
            let factors = try #require(weights.baseAddress) + 3
            compareRanges(scalar, table, base, count)
            compareCodes(scalar, table, base, count)
            for weight in [nil, factors] { compareSums(scalar, table, base, weight, count) }
          }
        }
      }
    }
  }

  private let grids = [
    nk_affine_grid(inverse: 4, shift: 0, zero: 8, top: 15),
    nk_affine_grid(inverse: 50, shift: 0, zero: 128, top: 255),
    nk_affine_grid(inverse: 1.5, shift: -2.25, zero: 0, top: 3),
    nk_affine_grid(inverse: 0, shift: 0, zero: 3, top: 7),
    nk_affine_grid(inverse: 3, shift: 0, zero: 5, top: 7),
  ]

  private func compareRanges(
    _ scalar: nk_group_table, _ table: nk_group_table, _ x: UnsafePointer<Float>, _ count: Int
  ) {
    var (low, high): (Float, Float) = (0, 0)
    var (otherLow, otherHigh): (Float, Float) = (0, 0)
    scalar.range(x, count, &low, &high)
    table.range(x, count, &otherLow, &otherHigh)
    #expect(low == otherLow && high == otherHigh)
    let values = UnsafeBufferPointer(start: x, count: count)
    #expect(low == values.min() && high == values.max())
  }

  private func compareCodes(
    _ scalar: nk_group_table, _ table: nk_group_table, _ x: UnsafePointer<Float>, _ count: Int
  ) {
    for grid in grids {
      var (a, b) = ([UInt8](repeating: 0, count: count), [UInt8](repeating: 1, count: count))
      scalar.encode(x, count, grid, &a)
      table.encode(x, count, grid, &b)
      #expect(a == b)
      // The definition, by the book.
      for index in 0..<count {
        let level = ((x[index] - grid.shift) * grid.inverse).rounded(.toNearestOrEven)
        #expect(Float(a[index]) == min(max(level + grid.zero, 0), grid.top))
      }
      for shift in [nil, -0.75 as Float?] {
        var (u, v) = ([Float](repeating: 0, count: count), [Float](repeating: 1, count: count))
        let minimum = shift ?? 0
        withUnsafePointer(to: minimum) { pointer in
          scalar.expand(a, count, 0.37, grid.zero, shift == nil ? nil : pointer, &u)
          table.expand(a, count, 0.37, grid.zero, shift == nil ? nil : pointer, &v)
        }
        #expect(u.map(\.bitPattern) == v.map(\.bitPattern))
      }
    }
    let levels: [Float] = [-2, -1, -0.25, 0, 0.25, 1, 3]
    let thresholds: [Float] = [-1.5, -0.625, -0.125, 0.125, 0.625, 2]
    levels.withUnsafeBufferPointer { levels in
      thresholds.withUnsafeBufferPointer { thresholds in
        var book = nk_level_table(
          levels: levels.baseAddress, thresholds: thresholds.baseAddress, count: levels.count)
        var (a, b) = ([UInt8](repeating: 0, count: count), [UInt8](repeating: 1, count: count))
        scalar.encode_table(x, count, 1.25, &book, &a)
        table.encode_table(x, count, 1.25, &book, &b)
        #expect(a == b)
        for index in 0..<count {
          #expect(Int(a[index]) == thresholds.filter { x[index] * 1.25 > $0 }.count)
        }
      }
    }
  }

  private func compareSums(
    _ scalar: nk_group_table, _ table: nk_group_table, _ x: UnsafePointer<Float>,
    _ weights: UnsafePointer<Float>?, _ count: Int
  ) {
    func numbers(_ sums: nk_group_sums) -> [UInt64] {
      [sums.error, sums.wlx, sums.wl, sums.wll, sums.wx, sums.w].map(\.bitPattern)
    }
    for grid in grids {
      var (a, b) = (nk_group_sums(), nk_group_sums())
      scalar.sums(x, weights, count, grid, 0.25, &a)
      table.sums(x, weights, count, grid, 0.25, &b)
      #expect(numbers(a) == numbers(b))
    }
    let levels: [Float] = [-1, 0, 0.5, 1]
    let thresholds: [Float] = [-0.5, 0.25, 0.75]
    levels.withUnsafeBufferPointer { levels in
      thresholds.withUnsafeBufferPointer { thresholds in
        var book = nk_level_table(
          levels: levels.baseAddress, thresholds: thresholds.baseAddress, count: levels.count)
        var (a, b) = (nk_group_sums(), nk_group_sums())
        scalar.sums_table(x, weights, count, 0.8, 1.25, &book, &a)
        table.sums_table(x, weights, count, 0.8, 1.25, &book, &b)
        #expect(numbers(a) == numbers(b))
      }
    }
  }

  @Test("Codes of every width come back from their bits")
  func bits() {
    for bits in 1...8 {
      for count in [0, 1, 3, 7, 8, 9, 64, 77] {
        let codes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) & UInt8((1 << bits) - 1) }
        let byteCount = (count * bits + 7) / 8
        var bytes = [UInt8](repeating: 0xEE, count: byteCount + 1)
        nk_pack_bits(codes, count, Int32(bits), &bytes)
        #expect(bytes[byteCount] == 0xEE)
        // The first code stands in the lowest bits.
        for (index, code) in codes.enumerated() {
          for bit in 0..<bits {
            let place = index * bits + bit
            #expect(bytes[place / 8] >> (place % 8) & 1 == code >> bit & 1)
          }
        }
        var back = [UInt8](repeating: 0, count: count)
        nk_unpack_bits(bytes, count, Int32(bits), &back)
        #expect(back == codes)
      }
    }
  }
}
