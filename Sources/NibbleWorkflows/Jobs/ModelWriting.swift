internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// The part that all jobs share that write a model: stream the tensors, finish the file, reopen it and compare.
struct ModelWriting {
  let tasks: [TensorTask]
  let environment: JobEnvironment
  let output: String
  let notes: [String]
  let phase: String
  let isVerifying: Bool
  let start: ContinuousClock.Instant
  /// What scaling the model has achieved.
  var scaling: ScalingReport?
  /// Makes the tensors that need text run through the model, before the others.
  var calibrate: ((CalibratedLayers) throws -> CalibrationSummary)?

  /// Writes and verifies the tasks.
  ///
  /// - Parameter makeWriter: makes the writer; it runs beside the first tensors.
  /// - Returns: what was done, and what the comparison found.
  /// - Throws: what kept the output from being made or verified; unless it says otherwise, there is no output then.
  func run(
    _ makeWriter: @escaping @Sendable ([TensorPlan]) throws -> any CheckpointWriter
  ) throws -> TransferReport {
    let transfer = TensorTransfer(
      tasks, loop: environment.chunkLoop(), progress: environment.progress)
    let plans = tasks.map(\.plan)
    let writer = DeferredWriter { try makeWriter(plans) }
    var chunks: [WrittenChunk] = []
    var calibration: CalibrationReport?
    var layers: CalibratedLayers?
    do {
      if let calibrate {
        let calibrated = CalibratedLayers(tasks, transfer.chunks, writer: writer)
        layers = calibrated
        calibration = CalibrationReport(try calibrate(calibrated), calibrated)
        if let name = calibrated.missing.first {
          throw ModelError(.unsupported, "the text never reaches the layer \(name)")
        }
      }
      chunks = try transfer.write(to: writer, phase: phase, written: layers?.hashes ?? [:])
      try writer.made()
      try writer.finish()
      layers?.journal?.remove()
    } catch {
      writer.cancel()
      // That the output cannot be made at all is the better news.
      try writer.made()
      throw layers?.journal?.explained(error) ?? error
    }
    let written = ContinuousClock.now
    var finding: OutputVerification.Finding?
    if isVerifying {
      do {
        finding = try OutputVerification(transfer).run(path: output, written: chunks)
      } catch is JobCancelled {
        throw JobCancelled(writtenPath: output)
      }
    }
    return report(
      finding, calibration, seconds: written - start, verification: .now - written)
  }

  private func report(
    _ finding: OutputVerification.Finding?, _ calibration: CalibrationReport?, seconds: Duration,
    verification: Duration
  ) -> TransferReport {
    let tensors = tasks.enumerated().map { index, task in
      TensorReport(task, relativeError: finding?.relativeErrors[index])
    }
    return TransferReport(
      output: output, tensors: tensors, seconds: seconds / .seconds(1),
      verificationSeconds: finding == nil ? 0 : verification / .seconds(1),
      outputByteCount: byteCount(of: output), peakMemoryByteCount: peakMemoryByteCount(),
      isVerified: finding.map(\.failures.isEmpty), failures: finding?.failures ?? [],
      calibration: calibration, scaling: scaling,
      notes: notes + (calibration?.notes ?? []) + (scaling?.notes ?? []))
  }
}

/// Bytes of a file, or of all files of a folder.
func byteCount(of path: String) -> Int {
  let manager = FileManager.default
  var isFolder: ObjCBool = false
  guard manager.fileExists(atPath: path, isDirectory: &isFolder) else { return 0 }
  let files =
    isFolder.boolValue
    ? ((try? manager.contentsOfDirectory(atPath: path)) ?? []).map { path + "/" + $0 } : [path]
  return files.reduce(0) { sum, file in
    let attributes = try? manager.attributesOfItem(atPath: file)
    return sum + ((attributes?[.size] as? NSNumber)?.intValue ?? 0)
  }
}
