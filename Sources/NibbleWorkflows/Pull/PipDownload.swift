internal import Foundation
internal import Synchronization

/// Lets an installed pip fetch a wheel, for machines that reach packages only through pip's own
/// configuration.
///
/// Only wheels are asked for: a source package would run code of its author.
struct PipDownload {
  let name: String
  let version: String?
  let endpoint: URL?
  let folder: URL

  private var workFolder: URL { folder.appending(path: ".nibble-pip") }

  /// Removes what pip left.
  func clean() { try? FileManager.default.removeItem(at: workFolder) }

  #if os(Linux) || os(macOS)
    /// Whether there is a python3 with pip.
    static var isAvailable: Bool {
      let process = makeProcess(["-m", "pip", "--version"])
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }

    /// - Returns: the wheel, in a folder that ``clean()`` removes.
    func run() async throws(PullError) -> URL {
      clean()
      var arguments = [
        "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
        "--disable-pip-version-check", "--dest", workFolder.path,
      ]
      if let endpoint {
        let base = WebAddress.base(endpoint)
        arguments += ["--index-url", base.hasSuffix("simple") ? base : base + "/simple"]
      }
      arguments += ["--", version.map { "\(name)==\($0)" } ?? name]
      let status = await Self.finish(Self.makeProcess(arguments))
      let files = try? FileManager.default.contentsOfDirectory(
        at: workFolder, includingPropertiesForKeys: nil)
      guard status == 0, let wheel = files?.first(where: { $0.pathExtension == "whl" }) else {
        clean()
        throw PullError(.network, "pip could not download it either", subject: "pypi:\(name)")
      }
      return wheel
    }

    private static func makeProcess(_ arguments: [String]) -> Process {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = ["python3"] + arguments
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      process.standardInput = FileHandle.nullDevice
      return process
    }

    private static func finish(_ process: Process) async -> Int32 {
      await withCheckedContinuation { continuation in
        process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
        do { try process.run() } catch {
          process.terminationHandler = nil
          continuation.resume(returning: -1)
        }
      }
    }
  #else
    static var isAvailable: Bool { false }

    func run() async throws(PullError) -> URL {
      throw PullError(.unsupported, "no pip on this system", subject: "pypi:\(name)")
    }
  #endif
}
