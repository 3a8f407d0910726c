// Package contracts embeds the compiled predeploys (Registry, Market, Treasury
// and their proxies) and makes the creation code that genesis runs for them.
package contracts
