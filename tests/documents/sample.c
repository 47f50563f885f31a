/* What the excerpts of sample.md are taken from. Nothing else uses it. */

#define LIMIT 10
#define STEP 3

/* A prototype that is long enough to have its name in column 0. */
__attribute__((const, nothrow, noinline, warn_unused_result, cold)) int
twice(int number);

int
twice(int number)
{
	if (number > LIMIT) {
		return LIMIT;
	}
	return 2 * number;
}
