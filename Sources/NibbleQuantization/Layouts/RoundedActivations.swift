internal import CNibbleKernels

/// How products take activations; each form holds those before it.
package enum ActivationForm: Int, Comparable {
  /// In single precision.
  case floats
  /// Rounded to codes of 8 bits, a scale for each 32.
  case codes
  /// The codes also as 16-bit numbers.
  case words

  package static func < (a: ActivationForm, b: ActivationForm) -> Bool { a.rawValue < b.rawValue }
}

/// Activations `[count, columnCount]` with their 8-bit codes, for products that need them.
///
/// Who makes the rows rounds each as soon as it is done, while it is in the cache; products then have no pass of their own over them.
/// The codes are those that a product would find by itself.
public struct RoundedActivations {
  let activations: nk_activations
  let form: ActivationForm

  /// Bytes of memory for `count` rows; nil where rows are no whole blocks of 32.
  package static func byteCount(columnCount: Int, count: Int, form: ActivationForm) -> Int? {
    columnCount % 32 == 0 ? nk_activation_bytes(columnCount, count, form == .words ? 1 : 0) : nil
  }

  /// - Parameters:
  ///   - values: the rows, one after another; they outlive this.
  ///   - columnCount: a multiple of 32.
  ///   - count: how many rows there are.
  ///   - form: what products take.
  ///   - memory: ``byteCount(columnCount:count:form:)`` bytes aligned to 64, which outlive this too.
  package init(
    _ values: UnsafePointer<Float>, columnCount: Int, count: Int, form: ActivationForm,
    memory: UnsafeMutableRawPointer
  ) {
    precondition(columnCount % 32 == 0 && form != .floats)
    activations = nk_activations_in(memory, values, columnCount, count, form == .words ? 1 : 0)
    self.form = form
  }

  /// Rounds a row whose values stand. Rows may be rounded on several threads.
  public func round(row: Int) {
    var activations = activations
    ActivationScratch.kernels.quantize(&activations, row, 1)
  }
}
