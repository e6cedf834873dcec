import ArgumentParser
import Nibble

@main
struct NibbleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nibble", abstract: "Make large language models small, and prove what that cost.",
    version: NibbleVersion.current,
    subcommands: [
      PullCommand.self, QuantizeCommand.self, ConvertCommand.self, VerifyCommand.self,
      ReproduceCommand.self, CalibrateCommand.self,
      EvaluateCommand.self, InspectCommand.self, CompareCommand.self, GenerateCommand.self,
      ChatCommand.self, TokenizeCommand.self, BenchCommand.self, ExplainCommand.self,
    ])

  static func main() async {
    FreedMemory.keep()
    await runAndExit()
  }
}
