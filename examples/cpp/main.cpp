#include <iostream>

#include "heddle/version.h"

int main() { std::cout << "heddle " << heddle::version() << '\n'; }
