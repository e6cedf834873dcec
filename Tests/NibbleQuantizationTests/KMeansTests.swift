import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct KMeansTests {
  struct Case: Decodable {
    let shape: String
    let count: Int
    let seed: UInt64
    let levelCount: Int
    let isWeighted: Bool
    let inertia: Double
  }

  private func levels(_ kMeans: KMeans, _ values: [Float], _ weights: [Float]? = nil) -> [Float] {
    values.withUnsafeBufferPointer { x in
      guard let weights else { return kMeans.levels(of: x) }
      return weights.withUnsafeBufferPointer { kMeans.levels(of: x, weights: $0) }
    }
  }

  private func assign(_ values: [Float], _ levels: [Float]) -> [UInt8] {
    var codes = [UInt8](repeating: 0, count: values.count)
    values.withUnsafeBufferPointer { x in
      codes.withUnsafeMutableBufferPointer { KMeans.assign(x, levels: levels, into: $0) }
    }
    return codes
  }

  /// Σ w (x - level)², each value with its nearest level.
  private func squareError(_ values: [Float], _ weights: [Float]?, _ levels: [Float]) -> Double {
    let codes = assign(values, levels)
    return values.indices.reduce(0) { sum, index in
      let difference = Double(values[index]) - Double(levels[Int(codes[index])])
      return sum + Double(weights?[index] ?? 1) * difference * difference
    }
  }

  /// Five narrow lumps of different sizes.
  private func lumps(count: Int, seed: UInt64) -> [Float] {
    var inner = RandomSource(seed: seed)
    var outer = RandomSource(seed: seed + 1)
    let centres: [Double] = [-8, -3, -3, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 11]
    return (0..<count).map { _ in Float(centres[Int(outer.uniform() * 15)] + inner.uniform()) }
  }

  private func values(_ shape: String, _ count: Int, _ seed: UInt64) -> [Float] {
    switch shape {
    case "bell": TestWeights.bell(count: count, seed: seed)
    case "heavy": TestWeights.heavy(count: count, seed: seed)
    default: lumps(count: count, seed: seed)
    }
  }

  private func uniformWeights(_ count: Int) -> [Float] {
    var source = RandomSource(seed: 99)
    return (0..<count).map { _ in Float(0.25 + source.uniform()) }
  }

  /// No worse than the best of 10 starts of scikit-learn's k-means, and the exact optimum no worse than the search.
  @Test func noWorseThanTenStarts() throws {
    let cases = try rangeFixture("ranges/kmeans.json", as: [Case].self)
    #expect(cases.count == 30)
    for reference in cases {
      let values = values(reference.shape, reference.count, reference.seed)
      let weights = reference.isWeighted ? uniformWeights(reference.count) : nil
      let found = levels(KMeans(levelCount: reference.levelCount), values, weights)
      let exact = levels(KMeans(levelCount: reference.levelCount, isExact: true), values, weights)
      let error = squareError(values, weights, found)
      let least = squareError(values, weights, exact)
      // Levels are rounded to Float, the reference's are not.
      #expect(error <= reference.inertia * (1 + 1e-6), "\(reference)")
      #expect(least <= error * (1 + 1e-6), "\(reference)")
      #expect(found == found.sorted() && Set(found).count == reference.levelCount)
      #expect(exact == exact.sorted() && Set(exact).count == reference.levelCount)
    }
  }

  /// The search ends within a thousandth of the optimum on rows of many kinds.
  @Test func searchIsNearTheOptimum() {
    for (count, levelCount) in [(64, 4), (300, 3), (576, 8), (1024, 16), (700, 128), (600, 256)] {
      for shape in ["bell", "heavy", "lumps"] {
        let values = values(shape, count, UInt64(count))
        let found = squareError(values, nil, levels(KMeans(levelCount: levelCount), values))
        let least = squareError(
          values, nil, levels(KMeans(levelCount: levelCount, isExact: true), values))
        #expect(found <= least * 1.001, "\(count) \(levelCount) \(shape)")
      }
    }
  }

  @Test func searchEndsAtTheOptimumOfBellShapedRows() {
    for (count, levelCount) in [(576, 4), (576, 16), (1536, 8), (2048, 16)] {
      for seed in 0..<5 {
        let values = TestWeights.gaussian(count: count, seed: UInt64(100 + seed))
        #expect(
          levels(KMeans(levelCount: levelCount), values)
            == levels(KMeans(levelCount: levelCount, isExact: true), values))
      }
    }
  }

  /// All partitions of a few values into runs, one by one.
  private func bruteForce(_ values: [Float], _ weights: [Float], _ clusterCount: Int) -> Double {
    let order = values.indices.sorted { values[$0] < values[$1] }
    func error(_ range: Range<Int>) -> Double {
      let mass = range.reduce(0) { $0 + Double(weights[order[$1]]) }
      let sum = range.reduce(0) { $0 + Double(weights[order[$1]]) * Double(values[order[$1]]) }
      return range.reduce(0) {
        let difference = Double(values[order[$1]]) - sum / mass
        return $0 + Double(weights[order[$1]]) * difference * difference
      }
    }
    func least(_ start: Int, _ clusters: Int) -> Double {
      if clusters == 1 { return error(start..<values.count) }
      return (start + 1...values.count - clusters + 1).map { end in
        error(start..<end) + least(end, clusters - 1)
      }.min() ?? .infinity
    }
    return least(0, clusterCount)
  }

  @Test func exactEqualsBruteForce() {
    var source = RandomSource(seed: 17)
    for trial in 0..<120 {
      let count = 5 + Int(source.next() % 7)
      let clusterCount = 1 + trial % 5
      let offset: Float = trial % 3 == 0 ? 1000 : 0
      let values = (0..<count).map { _ in
        // Some trials with ties.
        trial % 4 == 0 ? Float(source.next() % 6) : Float(source.gaussian()) + offset
      }
      let weights = (0..<count).map { _ in Float(0.1 + source.uniform()) }
      let found = levels(KMeans(levelCount: clusterCount, isExact: true), values, weights)
      let error = squareError(values, weights, found)
      let least = bruteForce(values, weights, clusterCount)
      // What rounding 1000 to Float may add to the error.
      let rounding = offset > 0 ? 1e-7 : 1e-12
      #expect(abs(error - least) <= 1e-6 * least + rounding, "\(trial)")
    }
  }

  @Test(arguments: [false, true])
  func fewValues(isExact: Bool) {
    let kMeans = KMeans(levelCount: 4, isExact: isExact)
    #expect(levels(kMeans, []) == [0, 0, 0, 0])
    #expect(levels(kMeans, [.nan, .infinity]) == [0, 0, 0, 0])
    #expect(levels(kMeans, [2.5, 2.5, 2.5]) == [2.5, 2.5, 2.5, 2.5])
    #expect(levels(kMeans, [3, -1, 3, -1, 0]) == [-1, 0, 3, 3])
    #expect(levels(kMeans, [4, 1, 3, 2, 4, 1]) == [1, 2, 3, 4])
    #expect(levels(kMeans, [1, 2, 3, 4, 9, .nan], [1, 1, 1, 1, 0, 1]) == [1, 2, 3, 4])
    #expect(levels(KMeans(levelCount: 1, isExact: isExact), [1, 2, 6], [1, 1, 2]) == [3.75])
    #expect(levels(kMeans, [0, 0.1, 5, 5.5, 9, 9, 20]) == [0.05, 5.25, 9, 20])
    let wide: [Float] = [-3e38, 3e38, 1e-38, 2e-38, 1, 1.5, 0x1p-149]
    #expect(levels(kMeans, wide).allSatisfy { $0.isFinite })
    let lopsided = levels(kMeans, [1, 2, 3, 4, 5, 6], [1, 1e30, 1e-30, 1, 1e30, 1e-30])
    #expect(lopsided.allSatisfy { (1...6).contains($0) })
  }

  @Test func orderDoesNotMatter() {
    var source = RandomSource(seed: 23)
    let values = TestWeights.gaussian(count: 500, seed: 2)
    #expect(
      levels(KMeans(levelCount: 8), values)
        == levels(KMeans(levelCount: 8), values.shuffled(using: &source)))
  }

  /// A whole mass is the same as repeating a value.
  @Test(arguments: [false, true])
  func massesAreRepetitions(isExact: Bool) {
    let values = TestWeights.gaussian(count: 200, seed: 3)
    let weights = values.indices.map { Float(1 + $0 % 3) }
    let repeated = values.indices.flatMap { [Float](repeating: values[$0], count: 1 + $0 % 3) }
    let kMeans = KMeans(levelCount: 6, isExact: isExact)
    #expect(levels(kMeans, values, weights) == levels(kMeans, repeated))
  }

  @Test func codesAreTheNearest() {
    var source = RandomSource(seed: 5)
    for levelCount in [1, 2, 3, 7, 8, 16, 31, 256] {
      let levels = (0..<levelCount).map { _ in Float(source.gaussian()).rounded() / 2 }.sorted()
      let values =
        TestWeights.gaussian(count: 400, seed: 6) + levels + stride(from: -3, to: 3, by: 0.125)
        + [.infinity, -.infinity, .nan, 3e38]
      let codes = assign(values, levels)
      for (value, code) in zip(values, codes) where abs(value) < 1e6 {
        let distances = levels.map { abs(Double($0) - Double(value)) }
        #expect(distances.firstIndex(of: distances.min() ?? 0) == Int(code), "\(value) \(levels)")
      }
      // Infinities and what is too large to tell the distances apart: the outermost levels.
      let last = levels.firstIndex(of: levels[levelCount - 1]) ?? 0
      #expect(codes.suffix(4).map(Int.init) == [last, 0, 0, last])
    }
  }
}
