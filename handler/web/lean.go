package web

import "strings"

// lean takes out of a script or a style sheet what only its readers need: indentation, comments that have a line of their
// own, and the blanks of CSS. A line of a script stays a line, so that what a browser says of line 12 is true of the
// source. The test of the files keeps them so that this changes nothing: no text of theirs goes over several lines.
func lean(kind, content string) string {
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch kind {
		case ".js":
			if strings.HasPrefix(line, "//") {
				line = ""
			}
		case ".css":
			if strings.HasPrefix(line, "/*") && strings.HasSuffix(line, "*/") {
				line = ""
			}
			line = strings.NewReplacer(" { ", "{", " {", "{", "; }", "}", " }", "}", ": ", ":", "; ", ";", ", ", ",").Replace(line)
		}
		lines[i] = line
	}
	if kind == ".css" {
		return strings.Join(lines, "")
	}
	return strings.Join(lines, "\n")
}
