import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble inspect and compare")
struct InspectCommandTests {
  let folder: TemporaryFolder
  let model = Fixtures.path("models/llama-grouped")
  let copies = ["q8_0", "q4_0"].map { Fixtures.path("inspection/\($0).gguf") }

  init() throws { folder = try TemporaryFolder() }

  @Test("inspect: one JSON object with the agreed keys")
  func inspectJSON() throws {
    let outcome = try CommandRunner.run(["inspect", model, "--json", "--context", "64"])
    #expect(outcome.status == 0)
    let json = try JSONValue.parse(outcome.output)
    #expect(json["parameters"]?.integer ?? 0 > 10_000)
    #expect(json["bytes"]?.integer == json["parameters"]?.integer.map { 2 * $0 })
    #expect(json["bits_per_weight"]?.number == 16)
    #expect(json["tensors"]?.array?.count == 20)
    #expect(json["kv_cache"]?["context"]?.integer == 64)
    #expect(json["kv_cache"]?["bytes_float16"]?.integer == 2 * 2 * 2 * 8 * 64 * 2)
  }

  @Test("inspect: a report for people, one tensor, a page")
  func inspectText() throws {
    let page = folder.path("page.html")
    let outcome = try CommandRunner.run(["inspect", copies[1], "--html", page])
    #expect(outcome.status == 0)
    for text in ["bits per weight", "attention q", "Q4_0", "key-value cache", "outlier"] {
      #expect(outcome.output.contains(text), "\(text)")
    }
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Weights by role"))
    let one = try CommandRunner.run(["inspect", copies[1], "--tensor", "blk.0.attn_q.weight"])
    #expect(one.status == 0)
    #expect(one.output.contains("excess kurtosis"))
    #expect(one.output.contains("█"))
    let quiet = try CommandRunner.run(["inspect", model, "--quiet"])
    #expect(quiet.output.isEmpty && quiet.error.isEmpty)
  }

  @Test("inspect: a file of an unknown architecture is still shown")
  func unknown() throws {
    let outcome = try CommandRunner.run([
      "inspect", Fixtures.path("checkpoints/dtypes.safetensors"),
    ])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("unknown architecture"))
    #expect(outcome.error.contains("note: "))
  }

  @Test("compare: JSON, a report for people, a page")
  func compare() throws {
    let page = folder.path("page.html")
    let outcome = try CommandRunner.run(
      ["compare"] + copies + ["--against", model, "--html", page])
    #expect(outcome.status == 0)
    for text in ["SQNR", "to bound", "feed-forward down", "blk.0.attn_q.weight", "exact"] {
      #expect(outcome.output.contains(text), "\(text)")
    }
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("rate-distortion bound"))
    let json = try JSONValue.parse(
      CommandRunner.run(["compare"] + copies + ["--against", model, "--json"]).output)
    let candidates = try #require(json["candidates"]?.array)
    #expect(candidates.count == 2)
    for candidate in candidates {
      for key in ["relative_error", "sqnr_db", "cosine", "largest_error", "bound_distance_db"] {
        #expect(candidate["total"]?[key]?.number != nil, "\(key)")
      }
      #expect(candidate["tensors"]?.array?.count == 20)
    }
  }

  @Test(
    "Bad usage ends with 2, what cannot be done with 1",
    arguments: [
      (["inspect"], 2), (["inspect", "m", "--context", "0"], 2), (["compare", "m"], 2),
      (["inspect", "m", "--tensor", "t", "--html", "f"], 2), (["inspect", "/nowhere"], 1),
      (["compare", "/nowhere", "--against", "/nowhere"], 1),
    ])
  func failures(_ arguments: [String], _ status: Int) throws {
    let outcome = try CommandRunner.run(arguments)
    #expect(Int(outcome.status) == status)
    #expect(outcome.output.isEmpty)
    #expect(!outcome.error.isEmpty)
  }

  @Test("A tensor or a folder that is not there: one line and exit code 1")
  func missing() throws {
    for arguments in [
      ["--tensor", "nothing"], ["--quiet", "--html", folder.path("no/such.html")],
    ] {
      let outcome = try CommandRunner.run(["inspect", model] + arguments)
      #expect(outcome.status == 1)
      #expect(outcome.error.split(separator: "\n").last?.contains("nibble: ") == true)
    }
  }
}
