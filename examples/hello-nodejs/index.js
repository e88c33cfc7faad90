exports.handler = async (event, context) => {
  const name = event.name ?? 'world';
  console.log(`run ${context.requestId} has ${context.getRemainingTimeMs()} ms left`);
  return { greeting: `Hello, ${name}!` };
};
