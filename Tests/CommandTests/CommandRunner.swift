import Foundation

/// Runs the `nibble` binary that was built beside the tests.
enum CommandRunner {
  struct Outcome {
    var status: Int32
    var wasKilled: Bool
    var output: String
    var error: String
  }

  /// The binary; tests run from the folder of products.
  static let binary: URL = {
    let tests = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    let beside = tests.deletingLastPathComponent().appending(path: "nibble")
    if FileManager.default.isExecutableFile(atPath: beside.path) { return beside }
    #if DEBUG
      let products = ".build/debug/nibble"
    #else
      let products = ".build/release/nibble"
    #endif
    return URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../" + products)
  }()

  /// Runs `nibble` with `arguments` until it ends.
  static func run(_ arguments: [String]) throws -> Outcome {
    let process = try start(arguments)
    return try finish(process)
  }

  /// A process that was started, its output caught in files so that no pipe can fill up.
  struct Running {
    let process: Process
    let folder: URL
    /// Signalled when the process has ended; faster than `waitUntilExit`, which polls.
    let end: DispatchSemaphore
  }

  static func start(_ arguments: [String]) throws -> Running {
    let folder = FileManager.default.temporaryDirectory.appending(path: "nibble-run-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try file(folder.appending(path: "output"))
    process.standardError = try file(folder.appending(path: "error"))
    let end = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in end.signal() }
    try process.run()
    return Running(process: process, folder: folder, end: end)
  }

  static func finish(_ running: Running) throws -> Outcome {
    running.end.wait()
    defer { try? FileManager.default.removeItem(at: running.folder) }
    return Outcome(
      status: running.process.terminationStatus,
      wasKilled: running.process.terminationReason == .uncaughtSignal,
      output: try String(contentsOf: running.folder.appending(path: "output"), encoding: .utf8),
      error: try String(contentsOf: running.folder.appending(path: "error"), encoding: .utf8))
  }

  private static func file(_ url: URL) throws -> FileHandle {
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }
}
