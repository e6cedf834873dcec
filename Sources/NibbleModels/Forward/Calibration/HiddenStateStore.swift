internal import NibbleTensors

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Where a calibration run keeps the activations of all its tokens between stages: in memory up to a limit, and beyond it
/// in a file that has no name any more.
///
/// It belongs to one thread at a time.
final class HiddenStateStore {
  /// The most bytes that were held, in memory and in the file.
  private(set) var peakByteCount = 0
  /// The most bytes that the file held.
  private(set) var spilledByteCount = 0
  private let memoryLimit: Int
  private let folder: String
  private var heldByteCount = 0
  private var usedMemory = 0
  private var freeMemory: [Int: [UnsafeMutableRawPointer]] = [:]
  private var freePlaces: [Int: [Int]] = [:]
  private var descriptor: Int32 = -1

  /// - Parameters:
  ///   - memoryLimit: bytes to keep in memory.
  ///   - folder: where the file is made when it is needed.
  init(memoryLimit: Int, folder: String) {
    self.memoryLimit = memoryLimit
    self.folder = folder
  }

  deinit {
    for pointer in freeMemory.values.joined() { pointer.deallocate() }
    if descriptor >= 0 { close(descriptor) }
  }

  /// Keeps a copy of `x`.
  ///
  /// - Throws: `FileError` when the file cannot be made or written.
  func keep(_ x: Activations) throws(FileError) -> StoredActivations {
    let byteCount = x.rowCount * x.columnCount * MemoryLayout<Float>.stride
    var memory = freeMemory[byteCount]?.popLast()
    if memory == nil, usedMemory + byteCount <= memoryLimit {
      memory = .allocate(byteCount: max(byteCount, 1), alignment: 64)
      usedMemory += byteCount
    }
    heldByteCount += byteCount
    peakByteCount = max(peakByteCount, heldByteCount)
    if let memory {
      memory.copyMemory(from: x.pointer, byteCount: byteCount)
      return StoredActivations(self, .memory(memory), x.rowCount, x.columnCount)
    }
    let offset = freePlaces[byteCount]?.popLast() ?? spilledByteCount
    try openFile()
    try transfer(byteCount) { done in
      pwrite(
        descriptor, UnsafeRawPointer(x.pointer) + done, byteCount - done, off_t(offset + done))
    }
    spilledByteCount = max(spilledByteCount, offset + byteCount)
    return StoredActivations(self, .file(offset), x.rowCount, x.columnCount)
  }

  /// Copies what was kept into `target`, which has its shape.
  ///
  /// - Throws: `FileError` when the file cannot be read.
  fileprivate func load(_ stored: StoredActivations, into target: Activations) throws(FileError) {
    switch stored.place {
    case .memory(let memory):
      UnsafeMutableRawPointer(target.pointer).copyMemory(from: memory, byteCount: stored.byteCount)
    case .file(let offset):
      try transfer(stored.byteCount) { done in
        pread(
          descriptor, UnsafeMutableRawPointer(target.pointer) + done, stored.byteCount - done,
          off_t(offset + done))
      }
    }
  }

  fileprivate func release(_ stored: StoredActivations) {
    heldByteCount -= stored.byteCount
    switch stored.place {
    case .memory(let memory): freeMemory[stored.byteCount, default: []].append(memory)
    case .file(let offset): freePlaces[stored.byteCount, default: []].append(offset)
    }
  }

  /// Calls `step` with the bytes done so far until all are.
  private func transfer(_ byteCount: Int, _ step: (Int) -> Int) throws(FileError) {
    var done = 0
    while done < byteCount {
      let count = step(done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .fromErrno(folder, "keep \(byteCount) bytes of hidden states in a temporary file")
      }
      done += count
    }
  }

  /// Makes the file and takes its name away, so that nothing is left whatever happens.
  private func openFile() throws(FileError) {
    guard descriptor < 0 else { return }
    var path = Array((folder + "/.nibble-spill.XXXXXX").utf8CString)
    descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw .fromErrno(folder, "make a temporary file") }
    unlink(path)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }
}

/// Activations in a ``HiddenStateStore``, which takes their place back when they are released.
final class StoredActivations {
  enum Place {
    case memory(UnsafeMutableRawPointer)
    /// The first byte in the file.
    case file(Int)
  }

  let rowCount: Int
  let columnCount: Int
  fileprivate let place: Place
  private let store: HiddenStateStore

  fileprivate init(_ store: HiddenStateStore, _ place: Place, _ rowCount: Int, _ columnCount: Int) {
    self.store = store
    self.place = place
    self.rowCount = rowCount
    self.columnCount = columnCount
  }

  deinit { store.release(self) }

  var byteCount: Int { rowCount * columnCount * MemoryLayout<Float>.stride }

  /// The activations, in new memory of `pool`.
  func load(_ pool: ActivationPool) throws(FileError) -> Activations {
    let x = pool.matrix(rowCount, columnCount)
    try store.load(self, into: x)
    return x
  }
}
