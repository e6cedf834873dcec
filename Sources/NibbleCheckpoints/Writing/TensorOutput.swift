internal import Synchronization

/// The part that all checkpoint writers share: places of tensors in files, and what of them is
/// still missing.
final class TensorOutput: Sendable {
  /// Where the bytes of a tensor belong.
  struct Place: Sendable {
    var name: String
    var file: Int
    var offset: Int
    var byteCount: Int
  }

  private enum Phase { case open, finished, cancelled }
  private struct State: Sendable {
    var phase = Phase.open
    var coverages: [Coverage]
  }

  private let output: AtomicOutput
  private let files: [OutputFile]
  private let places: [Place]
  private let state: Mutex<State>

  init(output: AtomicOutput, files: [OutputFile], places: [Place]) {
    self.output = output
    self.files = files
    self.places = places
    state = Mutex(State(coverages: places.map { _ in Coverage() }))
  }

  /// - Precondition: the piece lies within the tensor.
  func write(
    _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
  ) throws(CheckpointError) {
    let place = places[index]
    precondition(
      offset >= 0 && bytes.count <= place.byteCount && offset <= place.byteCount - bytes.count,
      "a piece lies outside its tensor")
    guard state.withLock({ $0.phase == .open }) else { throw closedFault(place.name) }
    do {
      try files[place.file].write(bytes, at: place.offset + offset)
    } catch {
      cancel()
      throw error
    }
    state.withLock { $0.coverages[index].insert(offset..<offset + bytes.count) }
  }

  func finish() throws(CheckpointError) {
    do throws(CheckpointError) {
      let fault = state.withLock { state -> CheckpointError? in
        guard state.phase == .open else { return closedFault(nil) }
        for (place, coverage) in zip(places, state.coverages) {
          guard let gap = coverage.firstGap(byteCount: place.byteCount) else { continue }
          return CheckpointError(
            .missing, "byte \(gap) of \(place.byteCount) was never written", file: output.path,
            tensor: place.name)
        }
        state.phase = .finished
        return nil
      }
      if let fault { throw fault }
      for file in files { try file.sync() }
      try output.commit()
    } catch {
      cancel()
      throw error
    }
  }

  func cancel() {
    state.withLock { if $0.phase == .open { $0.phase = .cancelled } }
    output.cancel()
  }

  private func closedFault(_ tensor: String?) -> CheckpointError {
    CheckpointError(
      .io, "the output was finished or cancelled before", file: output.path, tensor: tensor)
  }
}
