import Foundation
import Nibble
import TestSupport
import Testing

@Suite("nibble verify, inspect and reproduce", .serialized)
struct VerificationCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.blockCount = 1
    try model.write(to: folder.path("model"))
  }

  private func nibble(_ arguments: String...) throws -> CommandRunner.Outcome {
    try CommandRunner.run(arguments)
  }

  private func quantize(_ output: String, _ arguments: String...) throws {
    let outcome = try CommandRunner.run(
      ["quantize", folder.path("model"), "-o", folder.path(output), "--quiet"] + arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
  }

  private func flip(_ name: String) throws {
    var bytes = try Data(contentsOf: URL(filePath: folder.path(name)))
    bytes[bytes.count - 1000] ^= 1
    try bytes.write(to: URL(filePath: folder.path(name)))
  }

  @Test("verify tells coverage, predictions, steps and the hash; --record and inspect")
  func record() throws {
    try quantize("out.gguf", "--type", "q4_0", "--keep", "attn_v")
    let outcome = try nibble(
      "verify", folder.path("out.gguf"), "--against", folder.path("model"), "--strict", "--record")
    #expect(outcome.status == 0, "\(outcome.error)")
    for text in [
      "quantized: ", "--keep 'attn_v', kept in BF16", "norm, kept in F32", "divergence",
      "quantize --type q4_0 --format gguf --keep 'attn_v', from \(folder.path("model"))",
      "SHA-256 of all tensors: ",
    ] {
      #expect(outcome.output.contains(text), "\(text)")
    }
    let page = folder.path("page.html")
    let shown = try nibble("inspect", folder.path("out.gguf"), "--html", page)
    #expect(shown.status == 0)
    #expect(shown.output.contains("quantize --type q4_0"))
    #expect(shown.output.contains("verified against \(folder.path("model"))"))
    #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Made and verified"))
    let json = try JSONValue.parse(
      try nibble("inspect", folder.path("out.gguf"), "--json").output)
    #expect(json["provenance"]?["recipe"]?["mix"] == "q4_0")
    #expect(json["verdict"]?["verified"] == true)
    let plain = try JSONValue.parse(try nibble("inspect", folder.path("model"), "--json").output)
    #expect(plain["provenance"] == .null && plain["verdict"] == .null)
  }

  @Test("verify --json has the agreed keys")
  func json() throws {
    try quantize("out.gguf", "--type", "q8_0")
    let outcome = try nibble(
      "verify", folder.path("out.gguf"), "--against", folder.path("model"), "--json", "--logits",
      "16")
    #expect(outcome.status == 0)
    let json = try JSONValue.parse(outcome.output)
    #expect(json["coverage"]?["quantized_tensors"] == 9)
    #expect(json["coverage"]?["not_quantized"]?.array?.count == 3)
    #expect(json["logits"]?["scored_tokens"] == 7)
    #expect(json["weights_sha256"]?.string?.count == 64)
    #expect(json["made_from_reference"] == true)
    #expect(json["tensors"]?.array?.first?["sha256"]?.string?.count == 64)
  }

  @Test("verify --strict and --max-divergence: exit code 3 with the reason")
  func strict() throws {
    try quantize("out.gguf", "--type", "q2_k", "--no-provenance")
    let verify = ["verify", folder.path("out.gguf"), "--against", folder.path("model"), "--quiet"]
    #expect(try CommandRunner.run(verify).status == 0)
    let silent = try CommandRunner.run(verify + ["--strict"])
    #expect(silent.status == 3)
    #expect(silent.error.contains("do not say how they were made"))
    let far = try CommandRunner.run(verify + ["--max-divergence", "0"])
    #expect(far.status == 3)
    #expect(far.error.contains("divergence"))
    #expect(try CommandRunner.run(verify + ["--logits", "2"]).status == 2)
    #expect(try CommandRunner.run(verify + ["--max-divergence", "-1"]).status == 2)
  }

  @Test("reproduce: identical, or the first difference by tensor")
  func reproduce() throws {
    let words = (0..<200).map { "word \($0 * 7919 % 1000) and the rest, " }.joined()
    try Data(words.utf8).write(to: URL(filePath: folder.path("text.txt")))
    try quantize(
      "out", "--type", "int4-g64-sym", "--format", "gptq", "--calibration", folder.path("text.txt"),
      "--calibration-windows", "4", "--calibration-context", "64", "--effort", "fast")
    let same = try nibble("reproduce", folder.path("out"))
    #expect(same.status == 0, "\(same.error)")
    #expect(same.output.contains("identical"))
    try flip("out/model.safetensors")
    let other = try nibble("reproduce", folder.path("out"), "--json")
    #expect(other.status == 3)
    #expect(other.error.contains("model.safetensors: the tensor "))
    let json = try JSONValue.parse(other.output)
    #expect(json["identical"] == false)
    #expect(json["difference"]?.string?.contains("differs from byte") == true)
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    #expect(files == ["model", "out", "text.txt"])

    try FileManager.default.removeItem(atPath: folder.path("text.txt"))
    let lost = try nibble("reproduce", folder.path("out"))
    #expect(lost.status == 1)
    #expect(lost.error.contains("text.txt"))
    #expect(try nibble("reproduce", folder.path("model")).status == 1)
    #expect(try nibble("reproduce").status == 2)
  }

  @Test("Help and version")
  func help() throws {
    #expect(try nibble("reproduce", "--help").output.contains("nibble reproduce "))
    #expect(try nibble("--version").output.contains(NibbleVersion.current))
  }
}
