import Foundation
import QuickstepPipelines
import QuickstepTensor
import QuickstepTuner

extension Spread {
  /// Median and the middle 80 % of a sample.
  static func bench(_ values: [Double]) -> Spread { Spread(values, middle: 0.8) }

  /// `12.3 (11.9–13.0)`: median and what is around it.
  func text(_ scale: Double = 1, digits: Int = 2) -> String {
    String(format: "%.\(digits)f (%.\(digits)f–%.\(digits)f)", median * scale, lower * scale, upper * scale)
  }
}

/// One line of a table: what, and the columns by name in order.
struct BenchRow {
  var columns: [(name: String, value: String)]
  init(_ columns: KeyValuePairs<String, String>) { self.columns = columns.map { ($0.key, $0.value) } }
}

/// All tables of a run, as text and as Markdown.
struct BenchReport {
  private let device: Device
  private let dtype: DType
  private var sections: [(title: String, rows: [BenchRow])] = []
  private let date = ISO8601DateFormatter.string(from: Date(), timeZone: .gmt, formatOptions: [.withFullDate])

  init(device: Device = .cpu, dtype: DType = .float32) { (self.device, self.dtype) = (device, dtype) }

  mutating func add(_ title: String, _ rows: [BenchRow]) { sections.append((title, rows)) }

  /// Processor, threads, versions: without them a figure means nothing.
  var machine: String {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = info.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
    let load = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8))?.split(separator: " ").first.map(String.init) ?? "?"
    return
      "\(name), \(ProcessInfo.processInfo.activeProcessorCount) cores, \(Machine.threads) threads, libtorch \(Machine.libtorchVersion), "
      + "\(device), \(dtype), quickstep \(ImagePipeline.version), load at the end \(load), \(date)"
  }

  var markdown: String {
    var text = "Machine: \(machine). Median and, in brackets, the middle 80 %.\n"
    for (title, rows) in sections {
      guard let first = rows.first else { continue }
      text += "\n### \(title)\n\n| " + first.columns.map(\.name).joined(separator: " | ") + " |\n|"
      text += first.columns.map { _ in "---|" }.joined() + "\n"
      for row in rows { text += "| " + row.columns.map(\.value).joined(separator: " | ") + " |\n" }
    }
    return text
  }

  var text: String {
    var text = machine + "\n"
    for (title, rows) in sections {
      guard let first = rows.first else { continue }
      text += "\n\(title)\n"
      let widths = first.columns.indices.map { column in
        ([first.columns[column].name] + rows.map { $0.columns[column].value }).map(\.count).max() ?? 0
      }
      func line(_ cells: [String]) -> String {
        "  " + zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ") + "\n"
      }
      text += line(first.columns.map(\.name))
      for row in rows { text += line(row.columns.map(\.value)) }
    }
    return text
  }
}
