import CNibbleKernels
import NibbleTensors
import Testing

/// Every instruction set's feedback kernels give the bits of the scalar table.
@Suite struct FeedbackTablesTests {
  private let tables = [NK_AVX2, NK_AVX512, NK_NEON].compactMap { nk_feedback_for($0)?.pointee }
  private let columnCount = 40
  private let order = (0..<40).map { UInt32(($0 * 7 + 3) % 40) }
  private let groups = (0..<40).map { UInt32($0 / 16) }

  private func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
    TestWeights.gaussian(count: count, seed: seed)
  }

  private struct Sweep: Equatable {
    var codes: [UInt8]
    var values: [Float]
    var gradient: [Float]
    var objectives: [Double]
  }

  private func sweep(_ table: nk_feedback_table, hasLevels: Bool) -> Sweep {
    let count = columnCount * 8
    let target = numbers(count, 1)
    let feedback = numbers(columnCount * columnCount, 2).map { 0.1 * $0 }
    let matrix = numbers(columnCount * columnCount, 3)
    let scales = numbers(24, 4).map { 0.2 + abs($0) }
    let inverses = scales.map { 1 / $0 }
    let zeros = [Float](repeating: 8, count: 24)
    let shifts = hasLevels ? [Float](repeating: 0, count: 24) : numbers(24, 5)
    let levels = (0..<32).map { Float([-1, -0.25, 0.5, 2][$0 / 8]) }
    let thresholds = (0..<24).map { Float([-0.6, 0.1, 1.2][$0 / 8]) }
    let pivots = numbers(columnCount, 6).map { abs($0) }
    var result = Sweep(
      codes: [UInt8](repeating: 0, count: count), values: [Float](repeating: 0, count: count),
      gradient: [Float](repeating: 0, count: count), objectives: [Double](repeating: 0, count: 16))
    var errors = result.values
    var (low, high) = ([Double](repeating: 0, count: 8), [Double](repeating: 0, count: 8))
    levels.withUnsafeBufferPointer { levels in
      thresholds.withUnsafeBufferPointer { thresholds in
        groups.withUnsafeBufferPointer { groups in
          scales.withUnsafeBufferPointer { scales in
            inverses.withUnsafeBufferPointer { inverses in
              zeros.withUnsafeBufferPointer { zeros in
                shifts.withUnsafeBufferPointer { shifts in
                  var grid = nk_grid_tile(
                    groups: groups.baseAddress, scales: scales.baseAddress,
                    inverses: inverses.baseAddress, zeros: zeros.baseAddress,
                    shifts: shifts.baseAddress, top: 15,
                    levels: hasLevels ? levels.baseAddress : nil,
                    thresholds: thresholds.baseAddress, level_count: hasLevels ? 4 : 0)
                  table.sweep(
                    &grid, target, order, feedback, pivots, 0.01, columnCount, &errors,
                    &result.values, &result.codes, &low)
                }
              }
            }
          }
        }
      }
    }
    table.gradient(
      matrix, columnCount, target, result.values, &errors, &result.gradient, &high)
    result.objectives = low + high
    return result
  }

  @Test func sweepsAgree() throws {
    let scalar = try #require(nk_feedback_for(NK_SCALAR)).pointee
    for hasLevels in [false, true] {
      let expected = sweep(scalar, hasLevels: hasLevels)
      #expect(Set(expected.codes).count > 3)
      for table in tables { #expect(sweep(table, hasLevels: hasLevels) == expected) }
    }
  }

  private func factored(_ table: nk_feedback_table, _ count: Int) -> (Int32, [Double], [Double]) {
    let x = numbers(count * count, 7).map { Double($0) }
    var matrix = [Double](repeating: 0, count: count * count)
    for i in 0..<count { matrix[i * (count + 1)] = 0.5 }
    table.subtract_products(
      &matrix, count, count, count, x, count, x.map { -$0 }, count, count)
    let original = matrix
    let status = table.factor(&matrix, count, count)
    var sides = numbers(count * 8, 8).map { Double($0) }
    let wanted = sides
    table.solve_tile(matrix, count, count, &sides)
    for i in 0..<count {
      for lane in 0..<8 {
        var sum = 0.0
        for j in 0..<count {
          sum += original[max(i, j) * count + min(i, j)] * sides[8 * j + lane]
        }
        #expect(abs(sum - wanted[8 * i + lane]) < 1e-7)
      }
    }
    return (status, matrix, sides)
  }

  @Test(arguments: [1, 5, 8, 19, 33]) func factorsAgree(count: Int) throws {
    let scalar = try #require(nk_feedback_for(NK_SCALAR)).pointee
    let expected = factored(scalar, count)
    #expect(expected.0 == 1)
    for table in tables {
      let result = factored(table, count)
      #expect(result.1 == expected.1 && result.2 == expected.2)
    }
  }

  @Test func indefiniteMatricesAreRefused() throws {
    let scalar = try #require(nk_feedback_for(NK_SCALAR)).pointee
    for table in tables + [scalar] {
      var matrix = [1.0, 0, 2, 1]
      #expect(table.factor(&matrix, 2, 2) == 0)
    }
  }

  /// Coordinate descent ends where no code can be changed alone, and never raises the objective.
  @Test func descentReachesAFixedPoint() throws {
    let scalar = try #require(nk_feedback_for(NK_SCALAR)).pointee
    let count = 32
    let x = numbers(count * 50, 9)
    let matrix = FeedbackSamples.moments(x, x, columnCount: count)
    let target = numbers(count, 10)
    let inverseDiagonal = (0..<count).map { 1 / matrix[$0 * (count + 1)] }
    var results: [[UInt8]] = []
    for table in [scalar] + tables {
      var codes = [UInt8](repeating: 8, count: count)
      var values = [Float](repeating: 0, count: count)
      func objective(_ values: [Float]) -> Double {
        FeedbackSamples.objectives(target, values, matrix, count)[0]
      }
      var gradient = (0..<count).map { i in
        -(0..<count).reduce(Float(0)) { $0 + matrix[i * count + $1] * target[$1] }
      }
      let before = objective(values)
      let (scales, zeros) = (
        [Float](repeating: 0.25, count: count), [Float](repeating: 8, count: count)
      )
      let inverses = [Float](repeating: 4, count: count)
      let shifts = [Float](repeating: 0, count: count)
      let changes = scales.withUnsafeBufferPointer { scales in
        zeros.withUnsafeBufferPointer { zeros in
          inverses.withUnsafeBufferPointer { inverses in
            shifts.withUnsafeBufferPointer { shifts in
              var grid = nk_grid_row(
                scales: scales.baseAddress, inverses: inverses.baseAddress,
                zeros: zeros.baseAddress, shifts: shifts.baseAddress, top: 15, levels: nil,
                thresholds: nil, level_count: 0)
              return table.descend(
                &grid, matrix, count, inverseDiagonal, 100, &gradient, &values, &codes)
            }
          }
        }
      }
      #expect(changes == 0)
      let after = objective(values)
      #expect(after < 0.2 * before)
      for column in 0..<count {
        for step in [-1, 1] as [Float] where (0...15).contains(Float(codes[column]) + step) {
          var other = values
          other[column] += 0.25 * step
          #expect(objective(other) > after * 0.9999)
        }
      }
      results.append(codes)
    }
    for codes in results { #expect(codes == results[0]) }
  }
}
