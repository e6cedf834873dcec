import Foundation
import NibbleModels
import Testing

@Suite struct SamplerTests {
  private func draw(_ options: SamplingOptions, _ logits: [Float], history: [Int] = [], count: Int)
    throws -> [Int]
  {
    var sampler = try Sampler(options)
    return logits.withUnsafeBufferPointer { row in
      (0..<count).map { _ in sampler.next(row, history: history) }
    }
  }

  private func plain(temperature: Float = 1) -> SamplingOptions {
    var options = SamplingOptions()
    options.temperature = temperature
    options.topK = 0
    options.topP = 1
    options.minP = 0
    return options
  }

  @Test func takesTheLikeliestWithoutTemperature() throws {
    #expect(try draw(SamplingOptions(), [1, 3, 3, 2], count: 3) == [1, 1, 1])
  }

  @Test func drawsInProportion() throws {
    // Probabilities 0.1, 0.2, 0.7.
    let logits: [Float] = [0.1, 0.2, 0.7].map { Float(logitOf: $0) }
    let draws = try draw(plain(), logits, count: 20_000)
    for (token, share) in [(0, 0.1), (1, 0.2), (2, 0.7)] {
      let found = Double(draws.count { $0 == token }) / Double(draws.count)
      #expect(abs(found - share) < 0.015, "token \(token): \(found)")
    }
  }

  @Test func keepsTopK() throws {
    var options = plain()
    options.topK = 3
    let logits = (0..<1000).map { Float(($0 * 7919) % 1000) / 1000 }
    let best = Set(logits.indices.sorted { logits[$0] > logits[$1] }.prefix(3))
    #expect(try Set(draw(options, logits, count: 500)) == best)
  }

  @Test func keepsTopP() throws {
    var options = plain()
    options.topP = 0.75
    let logits: [Float] = [0.1, 0.2, 0.7].map { Float(logitOf: $0) }
    #expect(try Set(draw(options, logits, count: 500)) == [1, 2])
  }

  @Test func keepsMinP() throws {
    var options = plain()
    options.minP = 0.5
    let logits: [Float] = [0.1, 0.3, 0.6].map { Float(logitOf: $0) }
    #expect(try Set(draw(options, logits, count: 500)) == [1, 2])
  }

  @Test func temperatureFlattens() throws {
    let logits: [Float] = [0, 2]
    let cold = try draw(plain(temperature: 0.25), logits, count: 4000).count { $0 == 0 }
    let hot = try draw(plain(temperature: 4), logits, count: 4000).count { $0 == 0 }
    #expect(cold < 40)
    #expect(hot > 1200)
  }

  @Test func penalizesRepetition() throws {
    var options = SamplingOptions()
    options.repetitionPenalty = 2
    #expect(try draw(options, [3, 2, -1], history: [0], count: 1) == [1])
    #expect(try draw(options, [-1, -1.5], history: [0], count: 1) == [1])
    options.repetitionWindow = 1
    #expect(try draw(options, [3, 2], history: [0, 1], count: 1) == [0])
  }

  @Test func theSeedDecides() throws {
    let logits = (0..<200).map { Float($0 % 17) / 4 }
    var options = plain()
    let first = try draw(options, logits, count: 50)
    #expect(try draw(options, logits, count: 50) == first)
    options.seed = 1
    #expect(try draw(options, logits, count: 50) != first)
  }

  @Test func refusesSenselessOptions() {
    for change: (inout SamplingOptions) -> Void in [
      { $0.temperature = -1 }, { $0.temperature = .nan }, { $0.topK = -1 }, { $0.topP = 0 },
      { $0.topP = 1.5 }, { $0.minP = 1 }, { $0.repetitionPenalty = 0 },
      { $0.repetitionWindow = -1 },
    ] {
      var options = SamplingOptions()
      change(&options)
      #expect(throws: ModelError.self) { try Sampler(options) }
    }
  }
}

extension Float {
  /// The logit of a probability: its natural logarithm.
  fileprivate init(logitOf probability: Double) {
    self = Float(log(probability))
  }
}
