import NibbleModels
import NibbleTensors
import TestSupport
import Testing

/// Profiles of passes through tiny models, and the memory of cache formats.
@Suite struct ProfileTests {
  private func session(_ name: String) throws -> InferenceSession {
    let model = try LanguageModel(path: Fixtures.path("models/\(name)"))
    return InferenceSession(model, contextCount: 64, pool: WorkerPool(threadCount: 2))
  }

  @Test(arguments: GoldenModel.names)
  func changesNoLogitAndCountsAllTime(_ name: String) throws {
    let session = try session(name)
    let expected = try session.run([5, 6, 7, 8]).withRow(0) { Array($0) }
    session.truncate(to: 0)
    session.startProfile()
    let logits = try session.run([5, 6, 7, 8]).withRow(0) { Array($0) }
    let profile = session.finishProfile()
    #expect(logits == expected)
    let known = profile.costs.values.reduce(0) { $0 + $1.seconds }
    #expect(known > 0)
    #expect(known <= profile.totalSeconds * 1.001)
    #expect(profile.costs.values.allSatisfy { $0.seconds >= 0 && $0.count > 0 })
    #expect(profile.costs[.attention]?.count == session.model.config.blockCount)
    #expect(profile.kinds.contains { $0.title == "output" && $0.weights != nil })
    session.truncate(to: 0)
    _ = try session.run([5])
    #expect(session.finishProfile() == OperationProfile())
  }

  @Test func countsProductsAndBytes() throws {
    let session = try session("llama-grouped")
    let config = session.model.config
    _ = try session.run([5, 6, 7])
    session.startProfile()
    _ = try session.run([8, 9])
    let profile = session.finishProfile()
    func products(_ role: OperationProfile.ProductRole) -> Double {
      profile.kinds.filter { $0.title == role.rawValue }
        .reduce(0) { $0 + (profile.costs[$1]?.products ?? 0) }
    }
    let blocks = 2 * config.blockCount * config.hiddenCount
    #expect(
      products(.queryKeyValue)
        == Double(blocks * (config.queryFeatureCount + 2 * config.keyFeatureCount)))
    #expect(products(.attentionOutput) == Double(blocks * config.queryFeatureCount))
    #expect(products(.gateUp) == Double(blocks * 2 * config.feedForwardCount))
    #expect(products(.down) == Double(blocks * config.feedForwardCount))
    #expect(products(.output) == Double(config.vocabularyCount * config.hiddenCount))
    // The tokens see 4 and 5 positions; each takes a product with the key and one with the value.
    let seen = 2 * (4 + 5) * config.queryFeatureCount * config.blockCount
    #expect(profile.costs[.attention]?.products == Double(seen))
    let attentionBytes = try #require(profile.costs[.attention]).bytes
    let rows = 5 * 2 * config.keyFeatureCount * 2 * config.blockCount
    #expect(attentionBytes >= Double(rows))
    #expect(profile.costs[.rope]?.count == 2 * config.blockCount)
    #expect(profile.costs[.norm]?.count == 2 * config.blockCount + 1)
  }

  @Test func knowsTheMemoryOfCacheFormats() {
    #expect(CacheType.float32.rowByteCount(featureCount: 64) == 256)
    #expect(CacheType.float16.rowByteCount(featureCount: 64) == 128)
    #expect(CacheType.bfloat16.rowByteCount(featureCount: 64) == 128)
    // 64 codes and 2 scales; 20 codes and 1 scale; 33 codes, a byte to an even number, 2 scales.
    #expect(CacheType.blocks8.rowByteCount(featureCount: 64) == 68)
    #expect(CacheType.blocks8.rowByteCount(featureCount: 20) == 22)
    #expect(CacheType.blocks8.rowByteCount(featureCount: 33) == 38)
  }

  /// Passes of 512 tokens and token by token, far beyond one step of the softmax.
  @Test(arguments: CacheType.allCases)
  func attendsOverLongContexts(_ type: CacheType) throws {
    let model = try LanguageModel(path: Fixtures.path("models/llama-grouped"))
    let tokens = (0..<700).map { 3 + $0 * 7 % 50 }
    func logits(_ type: CacheType, alone: Int) throws -> [Float] {
      let session = InferenceSession(
        model, contextCount: 700, pool: WorkerPool(threadCount: 2), cacheType: type)
      _ = try session.run(Array(tokens.dropLast(alone)))
      for token in tokens.suffix(alone).dropLast() { _ = try session.run([token]) }
      return try session.run([tokens[699]]).withRow(0) { Array($0) }
    }
    let expected = try logits(.float32, alone: 1)
    let scale = expected.map(abs).max() ?? 1
    let results = try logits(type, alone: 80)
    let bound: Float = type == .float32 ? 1e-4 : 4e-2
    for (result, value) in zip(results, expected) {
      #expect(abs(result - value) <= bound * scale)
    }
  }
}
