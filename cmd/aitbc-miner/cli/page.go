package cli

import _ "embed" // for the page

//go:embed page.js
var script string

//go:embed page.css
var style string
