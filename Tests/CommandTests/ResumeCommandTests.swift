import Foundation
import Nibble
import TestSupport
import Testing

/// Runs of `nibble quantize --calibration` that are killed and started again.
@Suite("nibble quantize --calibration, killed", .serialized)
struct ResumeCommandTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    var model = TinyModel()
    model.hiddenCount = 64
    model.feedForwardCount = 128
    model.blockCount = 6
    try model.write(to: folder.path("model"))
    var random = RandomSource(seed: 3)
    let letters = (0..<3000).map { _ in UInt8(97 + random.next() >> 60) }
    try Data(letters).write(to: URL(filePath: folder.path("text.txt")))
  }

  private func arguments(_ output: String, _ more: [String]) -> [String] {
    [
      "quantize", folder.path("model"), "-o", folder.path(output), "--type", "q4_0",
      "--calibration", folder.path("text.txt"), "--calibration-windows", "20",
      "--calibration-context", "128", "--json",
    ] + more
  }

  private func run(_ output: String, _ more: String...) throws -> CommandRunner.Outcome {
    try CommandRunner.run(arguments(output, more))
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: folder.path(name)))
  }

  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
  }

  private func keptBlocks(_ output: String) -> Int {
    let names = try? FileManager.default.contentsOfDirectory(
      atPath: folder.path(".\(output).journal"))
    return (names ?? []).count { $0.hasPrefix("block-") }
  }

  private func resumedBlocks(_ outcome: CommandRunner.Outcome) throws -> Int {
    try JSONValue.parse(outcome.output)["calibration"]?["resumed_blocks"]?.integer ?? -1
  }

  @Test("Killed at ten moments, each time started again: the bytes of an uninterrupted run")
  func kills() throws {
    #expect(try run("whole.gguf").status == 0)
    let expected = try bytes("whole.gguf")
    let start = ContinuousClock.now
    #expect(try run("whole.gguf").status == 0)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    var killCount = 0
    var resumedCount = 0
    for moment in 0..<10 {
      let threads = ["--threads", "\(1 + moment % 2)"]
      let running = try CommandRunner.start(arguments("out.gguf", threads))
      usleep(UInt32(1e6 * seconds * (Double(moment) + 0.5) / 10))
      kill(running.process.processIdentifier, SIGKILL)
      if try CommandRunner.finish(running).wasKilled { killCount += 1 }
      let kept = keptBlocks("out.gguf")
      // Killed while the journal was being removed: nothing is left to go on with.
      let wasWhole = FileManager.default.fileExists(atPath: folder.path("out.gguf"))
      let resumed = try run("out.gguf", "--threads", "\(1 + (moment + 1) % 2)")
      #expect(resumed.status == 0, "\(resumed.error)")
      let taken = try resumedBlocks(resumed)
      #expect(wasWhole || taken == kept, "\(taken) of \(kept)")
      if kept > 0 { resumedCount += 1 }
      #expect(try bytes("out.gguf") == expected)
      #expect(try files() == ["model", "out.gguf", "text.txt", "whole.gguf"])
      try FileManager.default.removeItem(atPath: folder.path("out.gguf"))
    }
    #expect(killCount >= 5)
    #expect(resumedCount >= 2)
  }

  @Test("Killed again and again, each time after one more block")
  func chain() throws {
    #expect(try run("whole.gguf").status == 0)
    for count in 1...5 {
      let running = try CommandRunner.start(arguments("out.gguf", []))
      while running.process.isRunning, keptBlocks("out.gguf") < count { usleep(500) }
      kill(running.process.processIdentifier, SIGKILL)
      #expect(try CommandRunner.finish(running).wasKilled)
      #expect(!FileManager.default.fileExists(atPath: folder.path("out.gguf")))
    }
    let resumed = try run("out.gguf")
    #expect(try resumedBlocks(resumed) >= 5)
    #expect(try bytes("out.gguf") == bytes("whole.gguf"))
    #expect(resumed.error.contains("of 6 blocks were taken from an interrupted run"))
    #expect(try files() == ["model", "out.gguf", "text.txt", "whole.gguf"])
  }

  @Test("Ctrl-C says that the same command goes on; --no-resume starts again")
  func interrupt() throws {
    let running = try CommandRunner.start(arguments("out.gguf", []))
    while running.process.isRunning, keptBlocks("out.gguf") < 2 { usleep(500) }
    kill(running.process.processIdentifier, SIGINT)
    let outcome = try CommandRunner.finish(running)
    #expect(outcome.status == 130)
    #expect(outcome.error.contains("the same command goes on"), "\(outcome.error)")
    #expect(try files() == [".out.gguf.journal", "model", "text.txt"])
    let again = try run("out.gguf", "--no-resume")
    #expect(try resumedBlocks(again) == 0)
    #expect(try files() == ["model", "out.gguf", "text.txt"])
  }
}
