internal import Dispatch
internal import Foundation
internal import NibbleCheckpoints
internal import Synchronization

/// Takes pieces for a writer that a thread of its own is still making, and hands them on when it is there.
///
/// The header of a GGUF file holds the tokenizer; the tensors need not wait until that has been read and put together.
final class DeferredWriter: CheckpointWriter {
  private struct Piece: Sendable {
    var bytes: [UInt8]
    var tensor: Int
    var offset: Int
  }

  private enum Phase: Sendable {
    case making
    case ready(any CheckpointWriter)
    case failed(any Error)
  }

  private struct State: Sendable {
    var phase = Phase.making
    var pieces: [Piece] = []
    var byteCount = 0
  }

  /// Bytes that are kept before those who bring more must wait.
  private static let byteLimit = 1 << 24
  private let state = Mutex(State())
  /// Entered until the writer is there or failed.
  private let making = DispatchGroup()

  /// Starts to make the writer.
  init(_ make: @escaping @Sendable () throws -> any CheckpointWriter) {
    making.enter()
    let thread = Thread { [self] in
      do {
        try hand(over: try make())
      } catch {
        state.withLock { $0.phase = .failed(error) }
      }
      making.leave()
    }
    thread.stackSize = 1 << 23
    thread.start()
  }

  /// Writes the kept pieces, then lets everybody write for themselves.
  private func hand(over writer: any CheckpointWriter) throws {
    do {
      while true {
        let pieces = state.withLock { state in
          let pieces = state.pieces
          state.pieces = []
          state.byteCount = 0
          if pieces.isEmpty { state.phase = .ready(writer) }
          return pieces
        }
        if pieces.isEmpty { return }
        for piece in pieces {
          let result = piece.bytes.withUnsafeBytes { bytes in
            Result { () throws(CheckpointError) in
              try writer.write(bytes, tensor: piece.tensor, at: piece.offset)
            }
          }
          try result.get()
        }
      }
    } catch {
      writer.cancel()
      throw error
    }
  }

  func write(
    _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
  ) throws(CheckpointError) {
    while true {
      let phase = state.withLock { state -> Phase? in
        guard case .making = state.phase else { return state.phase }
        guard state.byteCount < Self.byteLimit else { return .making }
        state.pieces.append(Piece(bytes: [UInt8](bytes), tensor: index, offset: offset))
        state.byteCount += bytes.count
        return nil
      }
      switch phase {
      case nil: return
      case .making: making.wait()
      case .ready(let writer): return try writer.write(bytes, tensor: index, at: offset)
      case .failed(let error):
        throw error as? CheckpointError ?? CheckpointError(.io, "the output could not be made")
      }
    }
  }

  /// Waits for the writer.
  ///
  /// - Throws: why it could not be made.
  @discardableResult
  func made() throws -> any CheckpointWriter {
    making.wait()
    switch state.withLock({ $0.phase }) {
    case .ready(let writer): return writer
    case .failed(let error): throw error
    case .making: throw CheckpointError(.io, "the output could not be made")
    }
  }

  func finish() throws(CheckpointError) {
    do {
      try made().finish()
    } catch {
      throw error as? CheckpointError ?? CheckpointError(.io, "\(error)")
    }
  }

  func cancel() {
    if let writer = try? made() { writer.cancel() }
  }
}
