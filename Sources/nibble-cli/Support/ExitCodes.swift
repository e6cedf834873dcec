import ArgumentParser
import Foundation
import Nibble

extension ExitCode {
  /// The command line was understood, the work could not be done.
  static let workFailed = ExitCode(1)
  /// The command line makes no sense.
  static let badUsage = ExitCode(2)
  /// The work was done and a check says that the result is not what it should be.
  static let checkFailed = ExitCode(3)
}

/// Writes one line to standard error.
func printError(_ line: String) {
  FileHandle.standardError.write(Data((line + "\n").utf8))
}

extension AsyncParsableCommand {
  /// Runs the command line and ends the process with Nibble's exit codes: 0 done, 1 work failed, 2 bad usage, 3 check
  /// failed, 130 and 143 stopped by SIGINT and SIGTERM.
  static func runAndExit() async -> Never {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      exit(withError: nil)
    } catch {
      end(with: error)
    }
  }

  private static func end(with error: any Error) -> Never {
    switch error {
    case let code as ExitCode: exit(withError: code)
    case is JobCancelled:
      printError("nibble: \(error)")
      Foundation.exit(128 + (Interrupt.receivedSignal ?? SIGINT))
    case is RecipeError:
      printError("nibble: \(error)")
      Foundation.exit(ExitCode.badUsage.rawValue)
    case is CheckpointError, is ModelError, is FileError:
      printError("nibble: \(error)")
      Foundation.exit(ExitCode.workFailed.rawValue)
    default: break
    }
    switch exitCode(for: error) {
    case .success: exit(withError: error)
    case .validationFailure:
      printError(fullMessage(for: error))
      Foundation.exit(ExitCode.badUsage.rawValue)
    default:
      printError("nibble: \(message(for: error))")
      Foundation.exit(ExitCode.workFailed.rawValue)
    }
  }
}
