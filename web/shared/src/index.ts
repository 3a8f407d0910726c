export * from './api.js'
export * from './format.js'
export * from './parts.js'
export * from './router.js'
