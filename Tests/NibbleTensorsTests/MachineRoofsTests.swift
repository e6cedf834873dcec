import CNibbleKernels
import NibbleTensors
import Testing

@Suite struct MachineRoofsTests {
  @Test func measuresSomething() {
    let roofs = MachineRoofs(measuring: WorkerPool(threadCount: 2))
    #expect(roofs.productsPerSecond.isFinite && roofs.productsPerSecond > 1e6)
    #expect(roofs.bytesPerSecond.isFinite && roofs.bytesPerSecond > 1e6)
  }

  /// Every table reads every byte: one that changes changes the sum.
  @Test(arguments: [NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func readsEveryByte(_ set: UInt32) throws {
    guard let table = nk_roofs_for(nk_instruction_set(rawValue: set))?.pointee else { return }
    let count = 1024
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
      .bindMemory(to: UInt8.self, capacity: count)
    defer { memory.deallocate() }
    memory.initialize(repeating: 3, count: count)
    let read = try #require(table.read)
    let sum = read(memory, count)
    for index in 0..<count {
      memory[index] = 7
      let other = read(memory, count)
      #expect(other != sum)
      memory[index] = 3
    }
  }

  @Test func knowsItsInstructionSets() {
    #expect(InstructionSet.scalar.isAvailable)
    for set in InstructionSet.allCases where !set.isAvailable {
      // Nothing is limited: other tests of this process go on with the best kernels.
      #expect(!set.limitKernels())
    }
    #expect(InstructionSet.allCases.contains { !$0.isAvailable })
  }
}
