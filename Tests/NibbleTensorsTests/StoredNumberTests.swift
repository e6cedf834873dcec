import NibbleTensors
import Testing

@Suite struct StoredNumberTests {
  @Test func takesAHalfApart() {
    let number = StoredNumber(-3.1415, format: .float16)
    #expect(number.bits == 0xC248 && number.isNegative == true && number.kind == .normal)
    #expect(number.exponentField == 16 && number.fractionField == 0x248)
    #expect(number.exponent == 1 && number.significand == 1 + 584.0 / 1024)
    #expect(number.storedValue == -3.140625)
    #expect(abs(number.absoluteError - 0.000875) < 1e-12)
    #expect(abs(number.relativeError - 0.000875 / 3.1415) < 1e-12)
    #expect(number.code == nil && number.scaling == nil)
  }

  @Test func subnormalsAndSpecials() {
    let small = StoredNumber(3e-7, format: .float16)
    #expect(small.kind == .subnormal && small.exponent == -14 && small.significand == 5.0 / 1024)
    #expect(StoredNumber(1e30, format: .float16).kind == .infinity)
    #expect(StoredNumber(1e30, format: .float16).absoluteError == .infinity)
    #expect(StoredNumber(1e30, format: .float8E4M3).kind == .nan)
    #expect(StoredNumber(1e30, format: .float8E4M3).absoluteError.isNaN)
    #expect(StoredNumber(1e30, format: .float8E4M3, overflow: .saturating).storedValue == 448)
    #expect(StoredNumber(.infinity, format: .bfloat16).absoluteError == 0)
    #expect(StoredNumber(.nan, format: .float32).relativeError == 0)
    #expect(StoredNumber(-0.0, format: .float16).kind == .zero)
    #expect(StoredNumber(0, format: .int(8)).relativeError == 0)
    #expect(StoredNumber(1e-60, format: .float32).kind == .zero)
    #expect(StoredNumber(3, format: .e8m0).storedValue == 4)
  }

  @Test func integers() {
    let values = [1.5, -3.0, 0.25]
    let scaling = IntegerScaling(values, format: .int(8))
    #expect(scaling == IntegerScaling(scale: 3.0 / 127))
    let codes = values.map { StoredNumber($0, format: .int(8), scaling: scaling).code }
    #expect(codes == [64, -127, 11])
    let affine = IntegerScaling(values, format: .uint(4))
    #expect(abs(affine.scale - 0.3) < 1e-15 && affine.zeroPoint == 10)
    let ends = [1.5, -3.0].map { StoredNumber($0, format: .uint(4), scaling: affine) }
    #expect(ends.map(\.code) == [15, 0])
    #expect(abs(ends[0].storedValue - 1.5) < 1e-12 && abs(ends[1].storedValue + 3) < 1e-12)
  }

  @Test func scalingsOfOddInputs() {
    #expect(IntegerScaling([], format: .int(8)) == IntegerScaling(scale: 1))
    #expect(IntegerScaling([0, .nan, .infinity], format: .uint(8)) == IntegerScaling(scale: 1))
    let huge = IntegerScaling([1.7e308, -1.7e308], format: .uint(8))
    #expect(huge.scale.isFinite && (0...255).contains(huge.zeroPoint))
    #expect(IntegerScaling([3, 5], format: .uint(8)).zeroPoint == 0)
    #expect(IntegerScaling([-3, -5], format: .uint(8)).zeroPoint == 255)
    let tiny = IntegerScaling([Double.leastNonzeroMagnitude], format: .int(8))
    #expect(tiny.scale > 0)
  }
}
