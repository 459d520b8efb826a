// For `node --import`: takes Plumbline's own packages from their sources, so that nothing need be built. Node's
// `--conditions=source` would take other packages' sources too, which it then refuses to strip of their types.
import { registerHooks } from 'node:module'

registerHooks({
  resolve(specifier, context, next) {
    const ours = specifier.startsWith('@plumbline/')
    return next(specifier, ours ? { ...context, conditions: [...context.conditions, 'source'] } : context)
  },
})
