import NibbleTensors
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
  @Test(arguments: [1, 2, 3, 8])
  func everyRowOnce(_ threadCount: Int) {
    let pool = WorkerPool(threadCount: threadCount)
    for rowCount in [0, 1, 2, 7, 64, 1000] {
      for grain in [1, 3, 16] {
        var seen = [Int32](repeating: 0, count: rowCount)
        seen.withUnsafeMutableBufferPointer { seen in
          pool.rows(rowCount, grain: grain) { rows in
            #expect(rows.lowerBound % grain == 0)
            for row in rows { seen[row] += 1 }
          }
        }
        #expect(seen.allSatisfy { $0 == 1 })
      }
    }
  }

  @Test(arguments: [1, 2, 3, 8])
  func everyNumberOfAChunkOnce(_ threadCount: Int) {
    let pool = WorkerPool(threadCount: threadCount)
    for count in [0, 1, 2, 7, 64, 1001] {
      for chunkCount in [1, 4, 2000] {
        var seen = [Int32](repeating: 0, count: count)
        seen.withUnsafeMutableBufferPointer { seen in
          pool.chunks(count, perThread: chunkCount) { thread, chunk in
            #expect((0..<threadCount).contains(thread))
            #expect(!chunk.isEmpty)
            for number in chunk { seen[number] += 1 }
          }
        }
        #expect(seen.allSatisfy { $0 == 1 })
      }
    }
  }

  @Test func manyShortLoops() {
    // More threads than processors, so that workers are late often.
    let pool = WorkerPool(threadCount: 6)
    let sum = Atomic<Int>(0)
    for round in 0..<20_000 {
      pool.rows(1 + round % 7) { rows in
        sum.add(rows.count, ordering: .relaxed)
      }
    }
    let expected = (0..<20_000).reduce(0) { $0 + 1 + $1 % 7 }
    #expect(sum.load(ordering: .relaxed) == expected)
  }

  @Test func nestedLoopsRunInPlace() {
    let pool = WorkerPool(threadCount: 4)
    let sum = Atomic<Int>(0)
    pool.rows(8) { outer in
      for _ in outer { pool.rows(10) { sum.add($0.count, ordering: .relaxed) } }
    }
    #expect(sum.load(ordering: .relaxed) == 80)
  }
}
