import Foundation
import Nibble
import Testing

@Suite("nibble explain")
struct ExplainCommandTests {
  func json(_ arguments: String...) throws -> JSONValue {
    let outcome = try CommandRunner.run(["explain", "--json"] + arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    #expect(outcome.error.isEmpty)
    return try JSONValue.parse(outcome.output)
  }

  func text(_ arguments: String...) throws -> String {
    let outcome = try CommandRunner.run(["explain"] + arguments)
    #expect(outcome.status == 0, "\(outcome.error)")
    return outcome.output
  }

  @Test("A number in three formats")
  func number() throws {
    let output = try text("3.1415", "--format", "fp16,bf16,int8")
    #expect(output.contains("0 10000 1001001000"))
    #expect(output.contains("2^1 × 1.5703125"))
    #expect(output.contains("3.140625"))
    #expect(output.contains("0 10000000 1001001"))
    #expect(output.contains("127 × 0.024736"))
    #expect(output.contains("65504"))
  }

  @Test("JSON of numbers, negative ones among them, in every format")
  func numbers() throws {
    let json = try json("-0.1", "1e30", "nan", "-inf", "3e-7")
    let numbers = try #require(json["numbers"]?.array)
    #expect(numbers.count == 5)
    #expect(json["formats"]?.array?.count == NumberFormat.all.count)
    func stored(_ index: Int, _ format: String) -> JSONValue? {
      numbers[index]["formats"]?.array?.first { $0["format"]?.string == format }
    }
    #expect(numbers[0]["value"]?.number == -0.1)
    #expect(stored(0, "fp16")?["bits"]?.string == "1010111001100110")
    #expect(stored(0, "fp16")?["sign"]?.integer == 1)
    #expect(stored(0, "fp16")?["stored"]?.number == -0.0999755859375)
    #expect(stored(0, "fp16")?["exponent"]?.integer == -4)
    #expect(stored(1, "fp16")?["stored"]?.string == "inf")
    #expect(stored(1, "int8")?["code"]?.integer == 127)
    #expect(stored(1, "int8")?["scale"]?.number == 1e30 / 127)
    #expect(stored(2, "bf16")?["stored"]?.string == "nan")
    #expect(stored(3, "fp8-e4m3")?["kind"]?.string == "NaN")
    #expect(stored(4, "fp16")?["kind"]?.string == "subnormal")
  }

  @Test("A dash may stand before negative numbers")
  func dash() throws {
    let numbers = try json("--format", "fp32", "--", "-5", "-1e3")["numbers"]?.array
    #expect(numbers?.map { $0["value"]?.number } == [-5, -1000])
  }

  @Test("Saturation is a choice")
  func saturation() throws {
    let arguments = ["1000", "--format", "e4m3"]
    let asDefined = try CommandRunner.run(["explain"] + arguments).output
    let saturating = try CommandRunner.run(["explain", "--saturate"] + arguments).output
    #expect(asDefined.contains("NaN  "))
    #expect(saturating.contains("448"))
    #expect(saturating.contains("0 1111 110"))
  }

  @Test("Every block type: its bytes and the sum of its bits")
  func blockTypes() throws {
    let types = GGMLType.allCases.filter { BlockMap($0) != nil }
    #expect(types.count == 13)
    for type in types {
      let name = type.name.lowercased()
      let json = try json("--type", name)
      #expect(json["sum"]?["bits_per_weight"]?.number == type.bitsPerWeight)
      let bytes = json["rows"]?.array?.compactMap { $0["bytes"]?.integer }.reduce(0, +)
      #expect(bytes == type.block.byteCount)
    }
    let output = try text("--type", "q4_k")
    #expect(output.contains("(256·4 + 8·6 + 8·6 + 1·16 + 1·16) / 256 = 1152 / 256 = 4.5 bits"))
    #expect(output.contains("scale (sc) of sub-block 4…7, bits 4-5"))
    #expect(try text("--type", "mxfp4").contains("(32·4 + 1·8) / 32 = 136 / 32 = 4.25"))
    #expect(try text("--type", "q6_k").contains("two's complement"))
  }

  @Test("Schemes and number formats by name")
  func schemes() throws {
    let affine = try text("--type", "int4-g128-asym")
    #expect(affine.contains("(128·4 + 1·16 + 1·4) / 128 = 532 / 128 = 4.15625 bits per weight"))
    #expect(affine.contains("(q - zero point) * scale"))
    #expect(try text("--type", "nf4-g64").contains("= 4.5 bits per weight"))
    let row = try json("--type", "int8-row-sym", "--shape", "10x100")
    #expect(row["sum"]?["bits_per_weight"]?.number == 8.16)
    #expect(try text("--type", "fp16").contains("65504"))
  }

  @Test("Memory of 70 billion weights")
  func memory() throws {
    let types = try #require(try json("--memory", "70e9")["types"]?.array)
    func bytes(_ name: String) -> Int? {
      types.first { $0["type"]?.string == name }?["bytes"]?.integer
    }
    #expect(bytes("fp32") == 280_000_000_000 && bytes("fp16") == 140_000_000_000)
    #expect(bytes("int8") == 70_000_000_000 && bytes("q4_k") == 39_375_000_000)
    let output = try text("--memory", "7b")
    #expect(output.contains("28000000000"))
    #expect(output.contains("GiB") && output.contains("26.08"))
  }

  @Test("A worked example of every method", arguments: WorkedExample.Method.allCases)
  func methods(_ method: WorkedExample.Method) throws {
    let json = try json("--method", method.rawValue, "--values", "-0.5,1.2,3.1,0.25,-2,0.75,1e-3,2")
    let values = try #require(json["values"]?.array)
    #expect(values.count == 8)
    var sum = 0.0
    for value in values {
      let error = try #require(value["stored"]?.number) - #require(value["value"]?.number)
      sum += error * error
    }
    let mean = try #require(json["mean_squared_error"]?.number)
    #expect(abs(sum / 8 - mean) <= 1e-9 + 1e-6 * mean)
    #expect(mean < 1)
    #expect(try text("--method", method.rawValue).contains("mean squared error"))
  }

  @Test("Absmax and zero-point, in numbers")
  func ranges() throws {
    let absmax = try json("--method", "absmax", "--values", "1.27,-0.5,0.004")
    #expect(absmax["values"]?.array?.map { $0["level"]?.number } == [127, -50, 0])
    let affine = try json("--method", "zero-point", "--values", "-1,1.55")
    #expect(affine["zero_points"]?.array == [100])
    #expect(affine["values"]?.array?.map { $0["code"]?.integer } == [0, 255])
    let clipped = try json("--method", "percentile=50", "--values", "1,1,1,1,1,8")
    #expect(clipped["values"]?.array?.first?["stored"]?.number == 1)
    #expect(clipped["usual_mean_squared_error"]?.number != nil)
  }

  @Test(
    "Bad usage ends with 2",
    arguments: [
      [], ["abc"], ["1", "--format", "fp9"], ["--type", "q9"], ["--memory", "many"], ["-x"],
      ["1", "--memory", "7b"], ["--type", "q4_0", "--memory", "7b"],
      ["--type", "int4-g128-asym", "--shape", "4"],
      ["--method", "magic"], ["--method", "absmax", "--values", "1,x"],
      ["--method", "nf4", "--values", "1e39"],
      ["--method", "kmeans", "--type", "int8-row-sym"], ["--values", "1,2"], ["--method", "mse=3"],
      ["--method", "absmax", "--values", ""], ["--memory", "7b", "--saturate"],
      ["1", "--shape", "4x4"],
      ["--type", "nf4-g64", "--shape", "0x1"],
    ])
  func badUsage(_ arguments: [String]) throws {
    let outcome = try CommandRunner.run(["explain"] + arguments)
    #expect(outcome.status == 2, "\(arguments): \(outcome.output)")
    #expect(outcome.output.isEmpty && !outcome.error.isEmpty)
  }

  @Test("Help has an example of each kind")
  func help() throws {
    let output = try CommandRunner.run(["explain", "--help"]).output
    for example in ["3.1415", "--type q4_k", "--memory 70e9"] {
      #expect(output.contains("nibble explain \(example)"))
    }
  }
}
