internal import CNibbleKernels
internal import Foundation

/// What this machine gives to some threads at most: products of bytes, and bytes read from memory.
///
/// Both are measured (`nk_roofs.h`) with the kernels' instruction set, in about a second. Other work on the machine
/// lowers them as it lowers what is compared with them.
public struct MachineRoofs: Sendable, Equatable {
  /// Products of 4-bit weights with 8-bit activations a second, without unpacking or scales, on all threads together.
  public let productsPerSecond: Double
  /// Bytes a second read in order from a buffer that no cache holds, by all threads together.
  public let bytesPerSecond: Double

  /// Measures with the threads of `pool`.
  public init(measuring pool: WorkerPool) {
    let table = nk_roofs().pointee
    productsPerSecond = Self.products(table, pool)
    bytesPerSecond = Self.reading(table, pool)
  }

  private static func products(_ table: nk_roof_table, _ pool: WorkerPool) -> Double {
    let byteCount = Int(nk_roof_bytes)
    let memory = UnsafeMutablePointer<UInt8>.allocateAligned(byteCount)
    defer { memory.deallocate() }
    for index in 0..<byteCount { memory[index] = UInt8(truncatingIfNeeded: 37 * index) }
    func run(_ roundCount: Int) -> Double {
      seconds {
        pool.rows(pool.threadCount) { threads in
          for _ in threads { _ = table.multiply(memory, roundCount) }
        }
      }
    }
    var roundCount = 16
    while run(roundCount) < 0.005, roundCount < 1 << 24 { roundCount *= 2 }
    let products = Double(roundCount * table.round_products * pool.threadCount)
    return products / shortest(of: 5) { run(roundCount) }
  }

  private static func reading(_ table: nk_roof_table, _ pool: WorkerPool) -> Double {
    let (byteCount, partByteCount) = (bufferByteCount, 1 << 16)
    let memory = UnsafeMutablePointer<UInt8>.allocateAligned(byteCount)
    defer { memory.deallocate() }
    func parts(_ body: (UnsafeMutablePointer<UInt8>, Int) -> Void) {
      pool.rows(byteCount / partByteCount) { parts in
        body(memory + parts.lowerBound * partByteCount, parts.count * partByteCount)
      }
    }
    parts { $0.initialize(repeating: 1, count: $1) }
    let fastest = shortest(of: 3) {
      seconds { parts { start, count in _ = table.read(start, count) } }
    }
    return Double(byteCount) / fastest
  }

  /// Twice the last-level cache where the system tells its size, and 256 MB to 1 GB.
  private static var bufferByteCount: Int {
    var cacheByteCount = 0
    #if canImport(Glibc)
      cacheByteCount = max(0, sysconf(Int32(_SC_LEVEL3_CACHE_SIZE)))
    #endif
    return min(max(2 * cacheByteCount, 1 << 28), 1 << 30) / (1 << 16) * (1 << 16)
  }

  private static func seconds(_ body: () -> Void) -> Double {
    let start = ContinuousClock.now
    body()
    return max((ContinuousClock.now - start) / .seconds(1), 1e-9)
  }

  private static func shortest(of count: Int, _ run: () -> Double) -> Double {
    (0..<count).map { _ in run() }.min() ?? .infinity
  }
}

extension UnsafeMutablePointer<UInt8> {
  /// Memory aligned to a cache line.
  fileprivate static func allocateAligned(_ byteCount: Int) -> Self {
    UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
      .bindMemory(to: UInt8.self, capacity: byteCount)
  }
}
