internal import Foundation
internal import NibbleCheckpoints
internal import NibbleTensors

/// The blocks that a run has finished, kept beside its output until that is whole, so that a run that was killed can go on.
///
/// The folder `.NAME.journal` holds `plan.json`, what the run depends on, and one file a block. Only blocks of a run with the
/// same plan are taken, and only up to the first whose file is missing or damaged.
final class CalibrationJournal {
  /// Blocks of the model.
  let blockCount: Int
  /// Blocks, from the first on, that are finished.
  private(set) var finishedCount = 0
  /// Those of them that an earlier run finished.
  let takenCount: Int
  /// What the user should know.
  let notes: [String]
  private let folder: JournalFolder
  private var writer: BlockFileWriter?
  private static let planName = "plan.json"
  private static let blockPrefix = "block-"

  /// Opens the journal of an output, or begins one.
  ///
  /// - Parameters:
  ///   - output: the path of the output.
  ///   - plan: what the run depends on.
  ///   - blockCount: blocks of the model.
  ///   - isResuming: whether blocks of an earlier run may be taken.
  /// - Throws: `FileError` or `CheckpointError` when the folder cannot be written, or another process has it.
  init(for output: String, plan: JournalPlan, blockCount: Int, isResuming: Bool) throws {
    self.blockCount = blockCount
    folder = try JournalFolder(Self.path(for: output), for: output)
    var notes: [String] = []
    let fault = Self.fault(in: folder, plan)
    if fault != nil || !isResuming {
      let hasBlocks = folder.names.contains { $0.hasPrefix(Self.blockPrefix) }
      if let fault, isResuming, hasBlocks {
        notes.append("the work of an interrupted run was discarded: \(fault)")
      }
      folder.remove(folder.names.filter(Self.isOwn))
      try folder.write(
        Array((JSONValue.object(plan.json).text(.indented(2)) + "\n").utf8), to: Self.planName)
    }
    var count = 0
    while count < blockCount, Self.isWhole(folder, block: count) { count += 1 }
    let wholeNames = Set((0..<count).map(Self.name))
    let others = folder.names.filter {
      $0.hasPrefix(Self.blockPrefix) && !wholeNames.contains($0)
    }
    if !others.isEmpty {
      notes.append(
        "the journal's file of block \(count) is missing or damaged: the run goes on from there")
    }
    folder.remove(others)
    if count > 0 {
      notes.append("\(count) of \(blockCount) blocks were taken from an interrupted run")
    }
    finishedCount = count
    takenCount = count
    self.notes = notes
  }

  deinit { if finishedCount == 0 { remove() } }

  /// A finished block.
  ///
  /// - Throws: `CheckpointError` when the file cannot be read any more.
  func file(ofBlock block: Int) throws(CheckpointError) -> BlockFile {
    try BlockFile(folder.file(Self.name(block)))
  }

  /// Keeps a layer of the first block that is not finished.
  func add(
    _ report: CalibratedLayerReport, rowCount: Int, _ arrays: [[UInt8]]
  ) throws(CheckpointError) {
    try openedWriter().add(report, rowCount: rowCount, arrays)
  }

  /// Notes that the first block that was not finished is; its layers are on the disk when this returns.
  func finishBlock(expertTokenCounts: [Int]?) throws(CheckpointError) {
    try openedWriter().finish(expertTokenCounts: expertTokenCounts)
    writer = nil
    finishedCount += 1
  }

  private func openedWriter() throws(CheckpointError) -> BlockFileWriter {
    if let writer { return writer }
    let new = try BlockFileWriter(folder.file(Self.name(finishedCount)), block: finishedCount)
    writer = new
    return new
  }

  /// Removes the journal: the output is whole.
  func remove() {
    writer = nil
    folder.remove(folder.names.filter(Self.isOwn))
    folder.remove()
  }

  /// `error`, telling what is kept where the job was cancelled.
  func explained(_ error: any Error) -> any Error {
    guard var stop = error as? JobCancelled, finishedCount > 0 else { return error }
    stop.keptWork = "\(finishedCount) of \(blockCount) blocks"
    return stop
  }

  /// Where the journal of an output lies.
  static func path(for output: String) -> String {
    let url = URL(filePath: output).standardizedFileURL
    var name = url.lastPathComponent
    while name.utf8.count > 180 { name.removeLast() }
    return url.deletingLastPathComponent().path + "/.\(name).journal"
  }

  private static func name(_ block: Int) -> String { blockPrefix + String(block) }

  private static func isOwn(_ name: String) -> Bool {
    name == planName || name.hasPrefix(blockPrefix) || name.hasSuffix(".nibble-partial")
  }

  private static func isWhole(_ folder: JournalFolder, block: Int) -> Bool {
    (try? BlockFile(folder.file(name(block))))?.record.block == block
  }

  /// Why what the folder holds cannot be taken; nil when it can.
  private static func fault(in folder: JournalFolder, _ plan: JournalPlan) -> String? {
    guard let bytes = try? Storage.mapping(path: folder.file(planName)).view,
      let stored = try? JSONValue.parse(bytes.withUnsafeBytes { Array($0) }).object
    else { return "its plan is missing or damaged" }
    let differences = plan.differences(from: stored)
    return differences.isEmpty ? nil : "it had another " + differences.joined(separator: ", ")
  }
}
