// Package words counts words.
package words

import "strings"

// Count returns how often each word is in a text.
func Count(text string) map[string]int {
	found := map[string]int{}
	for _, word := range strings.Fields(text) {
		found[word]++
	}
	return found
}
