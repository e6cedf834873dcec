import Foundation
import NibbleCheckpoints
import NibbleTensors
import TestSupport
import Testing

/// Folders, companions and files that are no checkpoints.
@Suite struct HostileFolderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: URL(filePath: folder.path(name)))
  }

  private func copy(_ fixtureName: String, _ name: String) throws {
    try FileManager.default.copyItem(atPath: fixture(fixtureName), toPath: folder.path(name))
  }

  @Test func foldersWithoutCheckpoint() throws {
    let path = folder.url.path
    expectRefusal(path, naming: path, "holds no safetensors or GGUF file")
    try write("{}", "config.json")
    expectRefusal(path, naming: path, "has a config.json but no safetensors file")
    try copy("small.gguf", "a.gguf")
    #expect(try Checkpoint.open(path).format == .gguf)
    try copy("small.gguf", "b.gguf")
    expectRefusal(path, naming: path, "holds 2 GGUF files; name one, such as a.gguf")
    try copy("empty.safetensors", "x.safetensors")
    #expect(try Checkpoint.open(path).format == .safetensors)
    try copy("empty.safetensors", "y.safetensors")
    expectRefusal(path, naming: path, "holds 2 safetensors files")
    try copy("empty.safetensors", "model.safetensors")
    let checkpoint = try Checkpoint.open(path)
    #expect(checkpoint.notes == ["\(path): only model.safetensors is read"])
  }

  @Test func picklesAreRefused() throws {
    func expectPickle(_ path: String, _ file: String) {
      let error = #expect(throws: CheckpointError.self) { try Checkpoint.open(path) }
      #expect(
        error?.description
          == "PyTorch pickle checkpoint \(file) is not supported (it can run code); "
          + "convert it to safetensors first")
    }
    try Data([0x80, 0x02, 0x7D, 0x71]).write(to: URL(filePath: folder.path("raw")))
    expectPickle(folder.path("raw"), folder.path("raw"))
    try Data([0x50, 0x4B, 0x03, 0x04, 0x14, 0]).write(to: URL(filePath: folder.path("zip.pt")))
    expectPickle(folder.path("zip.pt"), folder.path("zip.pt"))
    try write("{}", "pytorch_model.bin.index.json")
    expectPickle(folder.url.path, folder.path("pytorch_model.bin.index.json"))
    try write("legacy", "a.bin")
    expectPickle(folder.path("a.bin"), folder.path("a.bin"))
  }

  /// A header of 640 bytes begins with 80 02 like a pickle.
  @Test func aHeaderThatLooksLikeAPickleIsRead() throws {
    let header = "{" + String(repeating: " ", count: 638) + "}"
    try Data(safetensorsBytes(header)).write(to: URL(filePath: folder.path("model")))
    #expect(try Checkpoint.open(folder.path("model")).tensors.isEmpty)
  }

  @Test func filesThatAreNoCheckpoints() throws {
    expectRefusal(folder.path("absent"), naming: "absent", "no such file or folder")
    try write("version https://git-lfs.github.com/spec/v1\noid x\n", "model.safetensors")
    expectRefusal(folder.path("model.safetensors"), naming: "model.safetensors", "git lfs pull")
    try write("<html>", "model.html")
    expectRefusal(folder.path("model.html"), naming: "model.html", "neither a safetensors nor")
    try write("<html>", "page.safetensors")
    expectRefusal(folder.path("page.safetensors"), naming: "page.safetensors", "too short")
    expectRefusal("/dev/null", naming: "/dev/null", "is no regular file")
    expectRefusal(folder.path("model.html") + "/x", naming: "model.html/x", "Not a directory")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("loop"), withDestinationPath: folder.path("loop"))
    expectRefusal(folder.path("loop"), naming: "loop", "symbolic links")
    #if os(Linux)
      expectRefusal("/proc/self/mem", naming: "/proc/self/mem", "is empty")
    #endif
    // Permission bits do not stop root.
    if getuid() != 0 {
      try FileManager.default.setAttributes(
        [.posixPermissions: 0], ofItemAtPath: folder.path("model.html"))
      expectRefusal(folder.path("model.html"), naming: "model.html", "Permission denied")
    }
  }

  @Test func contentDecidesNotTheName() throws {
    try copy("small.gguf", "model.safetensors")
    #expect(try Checkpoint.open(folder.path("model.safetensors")).format == .gguf)
    try copy("dtypes.safetensors", "model.gguf")
    #expect(try Checkpoint.open(folder.path("model.gguf")).format == .safetensors)
    try copy("dtypes.safetensors", "model.bin")
    #expect(try Checkpoint.open(folder.path("model.bin")).format == .safetensors)
  }

  @Test(arguments: [
    ("{", "bad JSON"), ("[]", "has no weight_map"), ("{}", "has no weight_map"),
    (#"{"weight_map":[]}"#, "has no weight_map"), (#"{"weight_map":{}}"#, "names no shard"),
    (#"{"weight_map":{"a":1}}"#, "its shard is no string"),
    (#"{"weight_map":{"a":"../x"}}"#, "is no file name"),
    (#"{"weight_map":{"a":"/etc/passwd"}}"#, "is no file name"),
    (#"{"weight_map":{"a":".."}}"#, "is no file name"),
    (#"{"weight_map":{"a":""}}"#, "is no file name"),
    (#"{"weight_map":{"a":"x\u0000y"}}"#, "is no file name"),
    (#"{"weight_map":{"a":"s","a":"s"}}"#, "duplicate key"),
    (#"{"weight_map":{"a":"absent.safetensors"}}"#, "names the shard \"absent.safetensors\""),
    (#"{"weight_map":{"zz":"s.safetensors"}}"#, "zz: the index places it in s.safetensors"),
  ])
  func brokenIndexes(_ index: String, _ reason: String) throws {
    try copy("sharded/model-00001-of-00002.safetensors", "s.safetensors")
    try write(index, "model.safetensors.index.json")
    expectRefusal(folder.url.path, naming: "model.safetensors.index.json", reason)
  }

  @Test func brokenShards() throws {
    try write(#"{"weight_map":{"model.a":"s","model.b":"s"}}"#, "model.safetensors.index.json")
    try FileManager.default.createDirectory(
      atPath: folder.path("s"), withIntermediateDirectories: true)
    expectRefusal(folder.url.path, naming: folder.path("s"), "is a folder, not a file")
    try FileManager.default.removeItem(atPath: folder.path("s"))
    try write("junk", "s")
    expectRefusal(folder.url.path, naming: folder.path("s"), "too short")
    try FileManager.default.removeItem(atPath: folder.path("model.safetensors.index.json"))
    try FileManager.default.createDirectory(
      atPath: folder.path("model.safetensors"), withIntermediateDirectories: true)
    expectRefusal(
      folder.url.path, naming: folder.path("model.safetensors"), "is a folder, not a file")
  }

  @Test func brokenCompanions() throws {
    try copy("empty.safetensors", "model.safetensors")
    try write(#"{"a":1,"#, "config.json")
    try Data([0x61, 0xFF]).write(to: URL(filePath: folder.path("chat_template.jinja")))
    try FileManager.default.createDirectory(
      atPath: folder.path("tokenizer.json"), withIntermediateDirectories: true)
    let checkpoint = try Checkpoint.open(folder.url.path)
    func expectFault(_ reason: String, _ body: () throws -> Void) {
      let text = #expect(throws: CheckpointError.self) { try body() }?.description ?? ""
      #expect(text.contains(reason), "\(text)")
      #expect(text.contains(folder.url.path), "\(text)")
    }
    expectFault("config.json: bad JSON at byte 7") { _ = try checkpoint.json("config.json") }
    expectFault("chat_template.jinja: is not UTF-8") {
      _ = try checkpoint.text("chat_template.jinja")
    }
    expectFault("tokenizer.json: is a folder") { _ = try checkpoint.json("tokenizer.json") }
  }
}
