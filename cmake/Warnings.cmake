# superpix_compile_options(target): warnings, and arithmetic that is the same on every compiler.
function(superpix_compile_options target)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /fp:precise)
  else()
    # Labels must not depend on whether an instruction set has fused multiply-add.
    target_compile_options(
      ${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion
                        -Wno-sign-conversion -ffp-contract=off>
    )
  endif()
endfunction()
