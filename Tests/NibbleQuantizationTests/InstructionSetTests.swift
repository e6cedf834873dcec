import CNibbleKernels
import Testing

@Suite struct InstructionSetTests {
  @Test func plainCodeRunsEverywhere() {
    #expect(nk_supports(NK_SCALAR) == 1)
    #expect(nk_blocks_for(NK_SCALAR) != nil)
  }

  @Test func setsIncludeTheirBase() {
    #expect(nk_supports(NK_AVX512) <= nk_supports(NK_AVX2))
    #expect(nk_supports(NK_AVX2) == 0 || nk_supports(NK_NEON) == 0)
  }

  @Test(arguments: [NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func tablesExistWhereSupported(rawValue: UInt32) {
    let instructionSet = nk_instruction_set(rawValue)
    #expect((nk_blocks_for(instructionSet) != nil) == (nk_supports(instructionSet) == 1))
  }
}
