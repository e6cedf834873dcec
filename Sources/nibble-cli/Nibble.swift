import ArgumentParser
import Nibble

@main
struct NibbleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nibble", abstract: "Make large language models small, and prove what that cost.")
}
