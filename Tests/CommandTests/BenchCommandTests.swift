import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

/// The options of `nibble bench`, on tiny models.
@Suite("nibble bench", .serialized) struct BenchCommandTests {
  private let model = Fixtures.path("models/llama-grouped")
  private let other = Fixtures.path("models/llama-3-scaling")
  private let small = ["--generate-tokens", "8", "--repeat", "2", "--threads", "2", "-q"]

  private func json(_ arguments: [String]) throws -> JSONValue {
    let outcome = try CommandRunner.run(["bench"] + arguments + small + ["--json"])
    #expect(outcome.status == 0, "\(outcome.error)")
    return try JSONValue.parse(outcome.output)
  }

  @Test("--profile: parts of time add up to the whole, products reach some part of the roofs")
  func profiles() throws {
    let result = try json([model, "--prompt-tokens", "32", "--profile"])
    let profile = try #require(result["profile"])
    #expect(profile["roofs"]?["gmac_per_second"]?.number ?? 0 > 0)
    #expect(profile["roofs"]?["gb_per_second"]?.number ?? 0 > 0)
    for (phase, tokens) in [("prompt", 32), ("generation", 8)] {
      let part = try #require(profile[phase])
      #expect(part["tokens"]?.integer == tokens)
      let operations = try #require(part["operations"]?.array)
      let total = try #require(part["seconds"]?.number)
      let seconds = operations.compactMap { $0["seconds"]?.number }
      #expect(seconds.count == operations.count)
      #expect(seconds.allSatisfy { $0 >= 0 })
      #expect(abs(seconds.reduce(0, +) / total - 1) < 0.01)
      let shares = operations.compactMap { $0["share"]?.number }
      #expect(abs(shares.reduce(0, +) - 1) < 0.01)
      let kinds = operations.compactMap { $0["kind"]?.string }
      for kind in ["qkv", "o", "gate/up", "down", "output", "attention", "norms", "rope", "other"] {
        #expect(kinds.contains(kind), "\(phase): \(kinds)")
      }
      #expect(kinds.contains("sampling") == (phase == "generation"))
      for operation in operations where operation["weights"] != nil {
        #expect(operation["gmac_per_second"]?.number ?? 0 > 0)
        #expect(operation["gb_per_second"]?.number ?? 0 > 0)
        #expect(operation["compute_roof_share"]?.number ?? 0 > 0)
      }
    }
  }

  @Test("--prompt-lengths and --context: one rate a length, generation at a depth")
  func timesSeveralLengths() throws {
    let result = try json([model, "--prompt-lengths", "1,16,40", "--context", "50"])
    let rates = try #require(result["prompt_rates"]?.array)
    #expect(rates.map { $0["tokens"]?.integer } == [1, 16, 40])
    #expect(rates.allSatisfy { $0["tokens_per_second"]?.number ?? 0 > 0 })
    #expect(result["prompt_tokens"]?.integer == 40)
    #expect(result["context"]?.integer == 50)
    #expect(result["prompt_tokens_per_second"] == rates.last?["tokens_per_second"])
    #expect(try json([model, "--prompt-tokens", "4", "--context", "0"])["context"]?.integer == 0)
  }

  @Test("Two models: both rates, and their ratio")
  func compares() throws {
    let result = try json([model, other, "--prompt-lengths", "8,24"])
    let models = try #require(result["models"]?.array)
    #expect(models.map { $0["model"]?.string } == [model, other])
    #expect(result["prompt_ratios"]?.array?.count == 2)
    let ratio = try #require(result["generate_ratio"])
    let range = try #require(ratio["range"]?.array).compactMap(\.number)
    let median = try #require(ratio["median"]?.number)
    #expect(range.count == 2)
    #expect(range[0] > 0 && range[0] <= median && median <= range[1])
    let text = try CommandRunner.run(["bench", model, other, "--prompt-tokens", "8"] + small)
    #expect(text.status == 0)
    #expect(text.output.contains("ratio"))
  }

  @Test("--instruction-set: what the machine has runs, what it lacks is refused by name")
  func choosesKernels() throws {
    for set in InstructionSet.allCases {
      let arguments = [model, "--prompt-tokens", "8", "--instruction-set", set.rawValue]
      if set.isAvailable {
        #expect(try json(arguments)["instruction_set"]?.string == set.rawValue)
      } else {
        let outcome = try CommandRunner.run(["bench"] + arguments)
        #expect(outcome.status == 2)
        #expect(outcome.error.contains("--instruction-set \(set.rawValue)"))
        #expect(outcome.error.contains("scalar"))
      }
    }
  }

  @Test("Tables name the roofs and every kind", arguments: ["f16", "f32", "bf16", "q8_0"])
  func printsTables(_ type: String) throws {
    let outcome = try CommandRunner.run(
      ["bench", model, "--prompt-tokens", "8", "--profile", "--cache-type", type] + small)
    #expect(outcome.status == 0, "\(outcome.error)")
    for word in ["tokens/s", "GMAC/s", "GB/s", "of roof", "attention", "sampling", "other"] {
      #expect(outcome.output.contains(word))
    }
  }
}
