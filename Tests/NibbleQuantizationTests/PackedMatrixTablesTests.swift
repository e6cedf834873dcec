import CKernelChecks
import CNibbleKernels
import Testing

@Suite struct PackedMatrixTablesTests {
  /// Every instruction set that this machine has; `scripts/check-instruction-sets` emulates the others.
  @Test(arguments: [NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func everyTableGivesTheScalarBits(_ set: UInt32) {
    guard let table = nk_matmul_for(nk_instruction_set(rawValue: set)) else { return }
    var message = [CChar](repeating: 0, count: Int(nk_check_message_size))
    let differences = nk_check_products(table, nk_matmul_for(NK_SCALAR), &message)
    #expect(differences == 0, "\(text(message))")
  }

  @Test(arguments: [NK_AVX2, NK_AVX512, NK_NEON].map(\.rawValue))
  func everyTableOfStripsGivesTheScalarBits(_ set: UInt32) {
    guard let table = nk_strip_products_for(nk_instruction_set(rawValue: set)) else { return }
    var message = [CChar](repeating: 0, count: Int(nk_check_message_size))
    let differences = nk_check_strips(
      table, nk_strip_products_for(NK_SCALAR), nk_matmul_for(NK_SCALAR), &message)
    #expect(differences == 0, "\(text(message))")
  }
}

private func text(_ message: [CChar]) -> String {
  String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
