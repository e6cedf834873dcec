import Foundation
import Nibble
import NibbleTensors
import Synchronization
import TestSupport

/// Quantizes one of the tiny models with text, whole or in parts, into a folder of its own.
struct InterruptedQuantization {
  let folder: TemporaryFolder
  var source: String
  var selection: TypeSelection
  var output: String
  var calibration: CalibratedQuantization
  var format: OutputFormat?

  /// - Parameters:
  ///   - model: the tiny model.
  ///   - type: a mix of GGUF types, or a scheme.
  ///   - output: a file that ends with `.gguf` or `.safetensors`, or a folder.
  /// - Throws: when there is no such type.
  init(_ model: String, _ type: String, output: String) throws {
    folder = try TemporaryFolder()
    source = Fixtures.path("models/\(model)")
    if let mix = QuantizationMix(name: type) {
      selection = TypeSelection(mix: mix)
    } else if let scheme = Scheme(name: type) {
      selection = TypeSelection(scheme: scheme)
    } else {
      throw CocoaError(.featureUnsupported)
    }
    self.output = folder.path(output)
    calibration = CalibratedQuantization()
    calibration.text = Self.letters(seed: 5)
    calibration.windows.tokenCount = 60
    calibration.windows.limit = 12
  }

  /// A text of the letters that the tiny tokenizers know.
  static func letters(seed: UInt64) -> CalibrationText {
    var random = RandomSource(seed: seed)
    var text = ""
    for _ in 0..<2600 {
      if let letter = Unicode.Scalar(33 + UInt32(random.next() >> 40) % 58) {
        text.unicodeScalars.append(letter)
      }
    }
    return CalibrationText(name: "letters", documents: [.text(text)])
  }

  var journal: String {
    let url = URL(filePath: output)
    return url.deletingLastPathComponent().path + "/.\(url.lastPathComponent).journal"
  }

  /// The files of the journal; nil where there is none.
  func journalFiles() -> [String: Data]? {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: journal) else {
      return nil
    }
    var files: [String: Data] = [:]
    for name in names {
      files[name] = try? Data(contentsOf: URL(filePath: journal + "/" + name))
    }
    return files
  }

  func write(_ files: [String: Data]) throws {
    try? FileManager.default.removeItem(atPath: journal)
    try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
    for (name, data) in files { try data.write(to: URL(filePath: journal + "/" + name)) }
  }

  func run(threads: Int = 2, _ environment: JobEnvironment? = nil) throws -> TransferReport {
    var job = QuantizeJob(source: source, output: output, selection: selection)
    job.calibration = calibration
    job.format = format
    job.replacesAnyFile = true
    return try job.run(environment ?? JobEnvironment(threadCount: threads))
  }

  /// Runs until `blockCount` blocks are done or known, then cancels.
  ///
  /// - Returns: why it stopped.
  func runUntil(blocks blockCount: Int, threads: Int = 2) throws -> JobCancelled? {
    let stopper = Stopper(after: blockCount)
    do {
      _ = try run(
        JobEnvironment(threadCount: threads, progress: stopper, cancellation: stopper.flag))
      return nil
    } catch let stop as JobCancelled {
      return stop
    }
  }

  /// Runs and cancels while the layers of the block `block` are being quantized, where that takes long enough.
  ///
  /// - Returns: why it stopped; nil where it was done before.
  func runIntoBlock(_ block: Int) throws -> JobCancelled? {
    let flag = CancellationFlag()
    let prefix = ".block-\(block)."
    let watcher = Watcher { [journal] in
      let names = (try? FileManager.default.contentsOfDirectory(atPath: journal)) ?? []
      if names.contains(where: { $0.hasPrefix(prefix) }) { flag.cancel() }
    }
    defer { watcher.stop() }
    do {
      _ = try run(JobEnvironment(threadCount: 1, cancellation: flag))
      return nil
    } catch let stop as JobCancelled {
      return stop
    }
  }

  /// The bytes of all files of the output, by name.
  func outputFiles() throws -> [String: Data] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: output, isDirectory: &isFolder) else { return [:] }
    guard isFolder.boolValue else { return ["": try Data(contentsOf: URL(filePath: output))] }
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: output) {
      files[name] = try Data(contentsOf: URL(filePath: output + "/" + name))
    }
    return files
  }

  func removeOutput() { try? FileManager.default.removeItem(atPath: output) }
}

/// Asks a job to stop when some blocks are done.
private final class Stopper: ProgressReporter {
  let flag = CancellationFlag()
  private let count: Int
  private let done = Mutex(0)

  init(after count: Int) { self.count = count }

  func report(_ progress: JobProgress) {
    guard progress.phase == "calibrating" else { return }
    let isEnough = done.withLock { done in
      done += 1
      return done >= count
    }
    if isEnough { flag.cancel() }
  }
}

/// Looks again and again until it is stopped.
private final class Watcher: Sendable {
  private let isStopped = Atomic<Bool>(false)

  init(_ look: @escaping @Sendable () -> Void) {
    Thread.detachNewThread { [self] in
      while !isStopped.load(ordering: .relaxed) {
        look()
        usleep(100)
      }
    }
  }

  func stop() { isStopped.store(true, ordering: .relaxed) }
}
